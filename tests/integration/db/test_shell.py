"""`cbctl db shell`: the real psql, on a real Postgres."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.integration.db.impostor import CLEARTEXT, impostor
from tests.integration.db.test_commands import Done, House
from tests.testbed.forked import Forked

from cbctl.clients.postgres.ledger import Marker, record_marker


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: object) -> House:
    made = House(tmp_path, forked, one_database)
    made.configure()
    record_marker(made.database.address, Marker("test-house", "dev"))
    return made


def shell(house: House, *words: str, exit: int = 0, more: Mapping[str, str] | None = None) -> Done:
    """A process of its own, which becomes psql."""
    ended = subprocess.run(
        [sys.executable, "-m", "cbctl", "db", "shell", *words],
        cwd=house.folder,
        env={**house.environment, **(more or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    done = Done(ended.returncode, ended.stdout.strip(), ended.stderr)
    assert house.database.server.password not in done.out + done.err
    assert done.exit == exit, done
    return done


def test_psql_itself(house: House) -> None:
    done = shell(house, "--", "-Atc", "select current_user, current_database()")
    assert done.out == f"owner|{house.database.name}"
    assert f"database {house.database.name} on 127.0.0.1" in done.err
    name = shell(house, "--", "-Atc", "show application_name").out
    assert name.startswith("cbctl shell of ")
    shell(house, "--", "-c", "create table made (id int)")
    # the shell's own variables lead nowhere
    others = {"PGHOST": "10.9.9.9", "PGUSER": "nobody", "PGSERVICE": "none", "PGDATABASE": "x"}
    assert shell(house, "--", "-Atc", "select count(*) from made", more=others).out == "0"


def test_the_password_is_no_word_of_a_command(house: House) -> None:
    words = shell(house, "--", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline").out
    assert "psql" in words
    assert "canary" not in words


def test_where_it_is_protected(house: House) -> None:
    house.configure(protected=True)
    refused = shell(house, "--", "-c", "create table made (id int)", exit=1)
    assert "read-only transaction" in refused.err
    assert "read-only; --write changes that" in refused.err
    unasked = shell(house, "--write", "--", "-c", "create table made (id int)", exit=64)
    assert "--confirm dev" in unasked.err
    shell(house, "--write", "--confirm", "dev", "--", "-c", "create table made (id int)")
    assert shell(house, "--", "-Atc", "select count(*) from made").out == "0"


def test_a_role_that_may_only_read(house: House) -> None:
    server = house.database.server
    role = f"reader_{house.database.name}"
    shell(house, "--", "-c", "create table made (id int)")
    server.execute(house.database.name, f"create role {role} login password '{server.password}'")
    server.execute(house.database.name, f"grant select on all tables in schema public to {role}")
    file = house.folder / "cbctl.yaml"
    url = 'url: "${env:DATABASE_URL}"'
    file.write_text(
        file.read_text().replace(url, url + ', roles: {readonly: "${env:READONLY_URL}"}')
    )
    readonly = {"READONLY_URL": house.database.url.replace("owner:", f"{role}:")}
    assert shell(house, "--", "-Atc", "select current_user", more=readonly).out == role
    off = ("-c", "set default_transaction_read_only = off", "-c", "insert into made values (1)")
    assert "permission denied" in shell(house, "--", *off, exit=1, more=readonly).err
    assert (
        shell(house, "--write", "--", "-Atc", "select current_user", more=readonly).out == "owner"
    )


def test_what_only_its_cluster_reaches(house: House) -> None:
    house.configure(access="in-cluster")
    assert "only from inside its cluster" in shell(house, exit=7).err


def test_without_psql(house: House, tmp_path: Path) -> None:
    done = shell(house, "--", "--version", more={"PATH": str(tmp_path)})
    assert done.out.startswith("psql"), "the one that came with cbctl"


@pytest.mark.parametrize(
    "words",
    [
        ("-h", "127.0.0.1"),
        ("-Atc", "select 1", "--port=5432"),
        ("other",),
        ("dbname=x options='-c default_transaction_read_only=off'", "-c", "select 1"),
        ("postgresql://127.0.0.1/x",),
        ("--dbn", "x"),
        ("-Uowner",),
    ],
)
def test_to_what_it_connects_is_up_to_the_environment(house: House, words: tuple[str, ...]) -> None:
    refused = shell(house, "--", *words, exit=64)
    assert "up to the environment" in refused.err


def test_a_stranger_gets_no_password(house: House) -> None:
    """psql of Postgres 15 gives it to whoever asks in clear: cbctl logs in first."""
    with impostor(CLEARTEXT) as server:
        url = f"postgresql://owner:{house.database.server.password}@127.0.0.1:{server.port}/d"
        refused = shell(house, "--", "-c", "select 1", exit=3, more={"DATABASE_URL": url})
    assert "no password was sent" in refused.err
    assert house.database.server.password.encode() not in b"".join(server.answers)


def test_another_host_gets_no_password(house: House) -> None:
    with impostor(CLEARTEXT) as server:
        words = f"\\connect other nobody 127.0.0.1 {server.port}"
        shell(house, "--", "-c", words, exit=1)
    assert house.database.server.password.encode() not in b"".join(server.answers)
