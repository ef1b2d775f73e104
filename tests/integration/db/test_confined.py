"""What is restored or built in a scratch database has no power over its server, nor its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.db.backup_house import BackupHouse, back_up, house_on, nothing_in_scratch
from tests.integration.db.conftest import Database, Server, new_database
from tests.testbed.forked import Forked

ATTEMPTS = """
create function sprung() returns boolean language plpgsql as $$
begin
    begin
        execute 'copy (select 1) to program ''touch {sprung}''';
    exception when others then null; end;
    begin
        execute 'create role {role} superuser';
    exception when others then null; end;
    return true;
end $$;
"""
TRAP = "create table trap (id int check (sprung())); insert into trap values (1);"


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    return house_on(tmp_path, forked, one_database)


@pytest.fixture
def each_house(tmp_path: Path, forked: Forked, database: Database) -> BackupHouse:
    """On an old server, and on the newest."""
    return house_on(tmp_path, forked, database)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """A file that whoever runs the server can make."""
    folder = tmp_path / "trap"
    folder.mkdir()
    folder.chmod(0o777)
    return folder / "sprung"


@pytest.fixture
def elsewhere(house: BackupHouse) -> Iterator[Server]:
    server = house.database.server
    house.more["SCRATCH"] = server.url("postgres")
    before = roles(server)
    yield server
    assert roles(server) == before


def roles(server: Server) -> list[tuple[object, ...]]:
    with server.connect("postgres") as connection:
        return connection.execute("select rolname, rolsuper from pg_roles order by 1").fetchall()


def trap(house: BackupHouse, sprung: Path) -> str:
    """It is set for superusers only: here it has been sprung once by whoever set it."""
    words = ATTEMPTS.format(sprung=sprung, role=f"made_{house.database.name}")
    house.database.do(words + TRAP)
    assert sprung.exists()
    sprung.unlink()
    house.database.do(f"drop role made_{house.database.name}")
    return words


def test_a_backup_runs_nothing_on_the_machine_of_who_proves_it(
    each_house: BackupHouse, sprung: Path
) -> None:
    house = each_house
    trap(house, sprung)
    house.database.do("alter table people force row level security, enable row level security")
    back_up(house)
    sprung.unlink(missing_ok=True)
    house.db("verify-backup")
    assert not sprung.exists()
    nothing_in_scratch(house)


def test_nor_on_a_named_server(house: BackupHouse, sprung: Path, elsewhere: Server) -> None:
    trap(house, sprung)
    back_up(house)
    sprung.unlink(missing_ok=True)
    house.db("verify-backup", "--on", "env:SCRATCH")
    assert not sprung.exists()
    left = "select from pg_database where datname ~ '^cbctl_'"
    assert not house.database.rows(left)


def test_nor_do_migrations(house: BackupHouse, sprung: Path, elsewhere: Server) -> None:
    words = ATTEMPTS.format(sprung=sprung, role=f"made_{house.database.name}")
    house.write(m1_trap__up=words, m2_spring__up=TRAP)
    for on in ((), ("--on", "env:SCRATCH")):
        house.db("trace", *on)
        assert not sprung.exists()
    house.db("migrate", "--yes")
    assert sprung.exists()  # this role is the superuser of its server
    sprung.unlink()
    house.database.do(f"drop role made_{house.database.name}")
    for on in ((), ("--on", "env:SCRATCH")):
        # the house's own things are no migration's
        assert "public.trap" not in house.db("verify", *on, exit=10).out
        assert not sprung.exists()


def test_what_only_a_superuser_may_do_is_said(house: BackupHouse) -> None:
    house.write(m1_a__up="create table a ();\ncopy a to program 'true'")
    told = house.db("trace", exit=1).err
    assert "0001_a.up.sql:2" in told and "what only a superuser may do" in told
    house.db("migrate", "--yes")
    told = house.db("verify", exit=1).err
    assert "0001_a" in told and "what only a superuser may do" in told
    house.database.do(
        "create function never() returns event_trigger language plpgsql as 'begin end'; "
        "create event trigger never on ddl_command_end when tag in ('CREATE SCHEMA') "
        "execute function never()"
    )
    back_up(house)
    told = house.db("verify-backup", exit=10).out
    assert "permission denied to create event trigger" in told
    assert "what only a superuser may do" in told


HARMLESS = {"system": "pgstattuple", "wheel": "vector"}


def test_an_extension_is_made_beforehand(each_house: BackupHouse) -> None:
    """One that only a superuser may make, in a schema of its own, with a table that follows it."""
    house = each_house
    server = house.database.server
    name = HARMLESS[server.kind]
    house.write(
        m1_more__up="create schema if not exists more;\n"
        f"create extension if not exists {name} schema more",
        m2_use__up="create table used (); create publication everything for table used",
    )
    house.db("migrate", "--yes")
    assert f"extension {name}" not in house.db("verify", exit=10).out
    house.write(m3_again__up=f"create extension {name}")
    assert "create it if not exists" in house.db("trace", exit=1).err
    (house.folder / "migrations" / "0003_again.up.sql").unlink()
    house.database.do("comment on extension " + name + " is 'ours'")
    house.database.do("drop publication everything; create publication everything for all tables")
    back_up(house)
    house.db("verify-backup")
    house.more["SCRATCH"] = server.url("postgres")
    house.db("verify-backup", "--on", "env:SCRATCH")


def test_one_that_reaches_other_machines_is_not(
    tmp_path: Path, forked: Forked, servers: Callable[[str], Server]
) -> None:
    house = house_on(tmp_path, forked, new_database(servers("system")))
    house.database.do("create extension dblink")
    back_up(house)
    told = house.db("verify-backup", exit=10).out
    assert 'permission denied to create extension "dblink"' in told
    assert "what only a superuser may do" in told
    # nor one that would come among the tables of the server
    house.database.do("drop extension dblink; create extension pgstattuple schema pg_catalog")
    back_up(house)
    assert "permission denied to create extension" in house.db("verify-backup", exit=10).out


def test_on_a_server_where_no_role_can_be_made(each_house: BackupHouse) -> None:
    house = each_house
    server, name = house.database.server, house.database.name
    server.execute("postgres", f"create role maker_{name} login createdb password 'canary-{name}'")
    house.more["SCRATCH"] = (
        f"postgresql://maker_{name}:canary-{name}@127.0.0.1:{server.port}/postgres"
    )
    house.database.do("drop view happy")
    back_up(house)
    house.db("verify-backup", "--on", "env:SCRATCH")
    server.execute("postgres", f"grant pg_read_server_files to maker_{name}")
    told = house.db("verify-backup", "--on", "env:SCRATCH", exit=7).err
    assert "may do more to the server" in told
    server.execute("postgres", f"revoke pg_read_server_files from maker_{name}")
    server.execute("postgres", f"alter role maker_{name} createrole")
    house.db("verify-backup", "--on", "env:SCRATCH")
    house.db("trace", "--on", "env:SCRATCH")
    server.execute("postgres", f"drop role maker_{name}")
