"""Connections: nothing from outside leads them elsewhere, TLS stays, poolers are found."""

from __future__ import annotations

import socket
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import connect, ping
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import Marker, survey
from cbctl.clients.postgres.runner import migrate
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit


def test_ping_says_the_version(server: Any) -> None:
    assert int(ping(server.address()).split(".")[0]) >= 15


def test_the_environment_leads_nowhere_else(
    one_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGOPTIONS": "-c search_path=elsewhere",
        "PGSSLMODE": "require",
        "PGAPPNAME": "other",
        "PGTARGETSESSIONATTRS": "read-only",
    }.items():
        monkeypatch.setenv(name, value)
    with connect(one_database.address) as connection:
        row = connection.execute(
            "select current_setting('application_name'), current_schema(), current_database()"
        ).fetchone()
    assert row == ("cbctl", "public", one_database.name)


def test_neither_pgpass_nor_pgpassword_is_used(
    one_database: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = one_database.address.password.reveal()
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{password}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("PGPASSWORD", password)
    with pytest.raises(CbctlError, match="login is refused") as caught:
        connect(replace(one_database.address, password=Secret("")))
    assert caught.value.exit == Exit.CREDENTIALS


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_sslmode_is_never_weakened(one_database: Any, mode: str) -> None:
    with pytest.raises(CbctlError) as caught:
        connect(Secret(f"{one_database.url}?sslmode={mode}"))
    assert f"sslmode={mode}" in caught.value.fix
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_says_nothing_has_a_time_limit() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(CbctlError, match="timeout"):
            connect(
                Address("127.0.0.1", silent.getsockname()[1], "d", "u", Secret("canary")),
                seconds=2,
            )
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("pgbouncer", "pooled"), [("transaction", True), ("session", False)], indirect=["pgbouncer"]
)
def test_a_pooler_in_transaction_mode_is_refused(
    one_database: Any, pgbouncer: int, pooled: bool
) -> None:
    address = replace(one_database.address, port=pgbouncer)
    with connect(address) as connection:
        assert survey(connection, address).pooled is pooled
    job = Job(address, (), SchemaRange(0, 0), Marker("testing", "local"), 1, create_marker=True)
    if not pooled:
        assert migrate(job) == ()
        return
    with pytest.raises(CbctlError, match="pooler in transaction mode") as caught:
        migrate(job)
    assert caught.value.exit == Exit.REFUSED
