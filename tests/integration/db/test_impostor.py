"""A server that nobody has vouched for is not shown the password."""

from __future__ import annotations

import traceback

import psycopg
import pytest
from tests.integration.db.impostor import CLEARTEXT, MD5, NOTHING, impostor

from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.connect import connect, parameters
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit

PASSWORD = "canary-7Q"


def test_the_library_can_require_an_authentication_method() -> None:
    assert psycopg.pq.version() >= 160000


@pytest.mark.parametrize("asks", [CLEARTEXT, MD5, NOTHING])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_impostor_on_this_machine_gets_no_password(asks: bytes, host: str) -> None:
    with impostor(asks) as server:
        with pytest.raises(CbctlError, match="no password was sent") as caught:
            connect(Secret(f"postgresql://u:{PASSWORD}@{host}:{server.port}/d"))
        assert caught.value.exit is Exit.CREDENTIALS
        assert "require_auth=" in caught.value.fix
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert server.logins > 0
    assert PASSWORD.encode() not in b"".join(server.answers)
    assert b"md5" not in b"".join(server.answers)


@pytest.mark.parametrize(
    ("host", "options", "required"),
    [
        ("db.example", "?sslmode=require", "scram-sha-256"),
        ("db.example", "?sslmode=verify-ca", "scram-sha-256"),
        ("db.example", "", ""),
        ("db.example", "?sslmode=verify-full", ""),
        ("db.example", "?sslmode=disable&require_auth=md5", "md5"),
        ("[::1]", "?sslmode=verify-full", "scram-sha-256"),
    ],
)
def test_only_verified_tls_may_be_asked_for_the_password(
    host: str, options: str, required: str
) -> None:
    address = parse(f"postgresql://u:{PASSWORD}@{host}/d{options}")
    assert parameters(address, 1).get("require_auth", "") == required


def test_what_the_url_requires_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGREQUIREAUTH", "md5")
    with impostor() as server:
        url = f"postgresql://u:{PASSWORD}@127.0.0.1:{server.port}/d?require_auth=password"
        with pytest.raises(CbctlError):
            connect(Secret(url))
    assert PASSWORD.encode() in b"".join(server.answers)


def test_without_a_password_any_server_will_do() -> None:
    with impostor() as server:
        with pytest.raises(CbctlError, match="no password supplied"):
            connect(Secret(f"postgresql://u@127.0.0.1:{server.port}/d"))
        assert server.logins == 1
