"""`cbctl db verify`: the live schema beside what the migrations build."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Final

import pytest
from tests.integration.db.conftest import Database, Server, new_database
from tests.integration.db.test_commands import Done, House, house  # noqa: F401 - a fixture
from tests.testbed.postgres import BINARIES

from cbctl.clients.postgres.build import job_for, schema_of
from cbctl.clients.postgres.migrations import read_folder
from cbctl.clients.postgres.runner import migrate
from cbctl.clients.postgres.schema import Thing, compare_schemas, read_schema
from cbctl.clients.postgres.waiting import Patience

VISITOR = "do $$ begin create role visitor; exception when others then null; end $$"
_RICH = """
create schema shop;
create type shop.colour as enum ('red', 'green');
create domain shop.price as numeric(12, 2) check (value >= 0);
create table shop.items (
    id bigint generated always as identity primary key,
    name text not null default 'none' collate "C",
    colour shop.colour, price shop.price,
    twice numeric generated always as (price * 2) stored,
    unique (name), check (id > 0)
);
create table shop.parts (id serial, item bigint references shop.items on delete cascade,
    at date not null) partition by range (at);
create table shop.parts_2026 partition of shop.parts
    for values from ('2026-01-01') to ('2027-01-01');
create index parts_at on shop.parts (at) where item is not null;
create view shop.cheap as select id, name from shop.items where price < 10;
create materialized view shop.dear as select id from shop.items where price > 10;
create function shop.touch() returns trigger language plpgsql as $$
begin
    new.name := new.name;
    return new;
end $$;
create trigger touched before update on shop.items for each row execute function shop.touch();
alter table shop.items enable row level security;
create policy own on shop.items for select using (id > 0);
create sequence shop.numbers increment by 5;
"""


CHANGES: Final = {
    "alter table shop.items add extra int default 5": "+ column shop.items.extra integer",
    "alter table shop.items alter name drop not null": "  column shop.items.name",
    "alter table shop.items alter name drop default": "  column shop.items.name",
    "alter table shop.parts drop item cascade": "- column shop.parts.item bigint",
    "alter table shop.items drop constraint items_name_key": "- constraint shop.items ",
    "drop index shop.parts_at": "- index shop.parts_at INDEX",
    "create index more on shop.items (price)": "+ index shop.more INDEX",
    "create or replace view shop.cheap as select id, name from shop.items where price < 9": (
        "  view shop.cheap"
    ),
    "alter type shop.colour add value 'blue'": "+   enum 'red', 'green', 'blue'",
    "alter domain shop.price drop constraint price_check": "- constraint shop.price price_che",
    "drop trigger touched on shop.items": "- trigger shop.items touched",
    "alter table shop.items disable trigger touched": "+   disabled TRIGGER touched",
    "drop policy own on shop.items": "- policy shop.items own",
    "alter table shop.items disable row level security": "-   with row security",
    "alter sequence shop.numbers increment by 6": "  sequence shop.numbers",
    "drop sequence shop.numbers": "- sequence shop.numbers",
    "drop extension plpgsql cascade": "- extension plpgsql",
    "create table shop.stray (id int)": "+ table shop.stray",
    "drop materialized view shop.dear": "- view shop.dear",
    "create or replace function shop.touch() returns trigger language plpgsql as "
    "'begin return null; end'": "  function shop.touch()",
    "revoke select on shop.items from visitor": "-   SELECT to visitor",
    "create statistics shop.pair on id, name from shop.items": "+ statistics shop.pair",
}
OWN = ("public.schema_migrations", "public.cbctl_")


def build(house: House) -> None:  # noqa: F811
    house.database.do(VISITOR)
    house.write(m1_rich__up=_RICH, m2_grant__up="grant select on shop.items to visitor")
    house.db("migrate", "--yes")


def verify(house: House, exit: int = 0) -> Done:  # noqa: F811
    """On a server that is there: it is quicker."""
    file = house.folder / ".env.dev"
    url = house.database.server.url("postgres")
    file.write_text(f"SCRATCH={url}\nDATABASE_URL={house.database.url}\n")
    file.chmod(0o600)
    return house.db("verify", "--on", "env:SCRATCH", exit=exit)


def lines(built: dict[str, Thing], live: dict[str, Thing]) -> list[str]:
    found = compare_schemas(built, live, same_major=True)
    return [line for one in found for line in one.lines()]


def dump(database: Database) -> str:
    """The peer: what pg_dump says of the schema, without cbctl's own tables."""
    done = subprocess.run(
        [
            str(BINARIES[database.server.kind] / "pg_dump"),
            "--schema-only",
            "--no-owner",
            "--dbname",
            database.url,
        ]
        + [f"--exclude-table={name}" for name in ("schema_migrations", "cbctl_*")],
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)


def test_what_the_migrations_build_is_no_drift(house: House) -> None:  # noqa: F811
    house.database.do(VISITOR)
    house.write(
        m1_rich__up=_RICH,
        m2_grant__up="grant select on shop.items to visitor; revoke all on function shop.touch() "
        "from public",
        m3_index__up="-- cbctl: transaction=none\ncreate index concurrently by_name "
        "on shop.items (name)",
        m4_later__up="-- cbctl: phase=post\nalter table shop.items drop colour",
    )
    house.db("migrate", "--yes")
    found = house.db("verify", "-o", "json").json
    assert found["differences"] == [] and found["server"] == found["scratch"]
    # the peer: what pg_dump says of both
    other = new_database(house.database.server)
    applied = read_folder(house.folder / "migrations")
    migrate(job_for(other.address, applied, Patience()))
    assert dump(other) == dump(house.database)
    assert not list((house.folder / "state").glob("*/dev/scratch/*"))


def test_drift_of_each_kind_is_shown(house: House) -> None:  # noqa: F811
    build(house)
    built = schema_of(house.database.address)
    assert compare_schemas(built, built, same_major=True) == []
    for change, expected in CHANGES.items():
        with house.database.connect() as session, session.transaction(force_rollback=True):
            session.execute(change.encode())
            session.execute("set local search_path to pg_catalog")
            live = {
                name: thing
                for name, thing in read_schema(session).items()
                if not thing.relation.startswith(OWN)
            }
        assert any(line.startswith(expected) for line in lines(built, live)), change

    house.database.do("alter table shop.items add extra int default 5; create table stray ()")
    drift = verify(house, exit=10)
    assert "+ column shop.items.extra integer default 5" in drift.out
    assert "+ table public.stray" in drift.out and "differs in 2 places" in drift.out


@pytest.mark.nightly
def test_the_same_is_drift_for_pg_dump(house: House) -> None:  # noqa: F811
    build(house)
    database = house.database
    before, built = dump(database), schema_of(database.address)
    copy = Database(database.server, f"{database.name}_copy")
    for change in CHANGES:
        database.server.execute(
            "postgres",
            f"drop database if exists {copy.name} with (force)",
            f"create database {copy.name} template {database.name}",
        )
        copy.do(change)
        assert dump(copy) != before, change
        assert lines(built, schema_of(copy.address)), change


def test_grants_that_no_migration_made_are_no_drift(house: House) -> None:  # noqa: F811
    house.database.do(VISITOR)
    house.write(m1_a__up="create table a (id int)")
    house.db("migrate", "--yes")
    house.database.do("grant select on a to visitor; grant usage on schema public to visitor")
    verify(house)


def test_what_cannot_be_built_is_refused(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int)")
    house.db("migrate", "--yes")
    house.write(m1_a__up="create table a (id bigint)")
    refused = house.db("verify", exit=7)
    assert "0001_a is not what was applied" in refused.err
    (house.folder / "migrations" / "0001_a.up.sql").unlink()
    assert "no such file" in house.db("verify", exit=7).err
    house.configure(access="in-cluster")
    assert "only from inside its cluster" in house.db("verify", exit=64).err
    assert "leave it out" in house.db("verify", "--on", "env:SPARE_URL", exit=64).err


def test_on_a_named_server_nothing_stays(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int)")
    house.db("migrate", "--yes")
    said = verify(house)
    assert "the schema is what the migrations build up to 0001" in said.out
    left = "select from pg_database where datname like 'cbctl_scratch%'"
    assert not house.database.rows(left)
    assert "--on env:NAME" in house.db("verify", "--on", "postgresql://x", exit=64).err


def test_on_another_major_version_it_says_what_was_left_out(
    house: House,  # noqa: F811
    servers: Callable[[str], Server],
) -> None:
    other = servers("wheel")
    build(house)
    other.execute("postgres", VISITOR)
    file = house.folder / ".env.dev"
    file.write_text(f"SCRATCH={other.url('postgres')}\nDATABASE_URL={house.database.url}\n")
    file.chmod(0o600)
    said = house.db("verify", "--on", "env:SCRATCH").out
    same = other.kind == house.database.server.kind
    assert same or "views and indexes, were not compared" in said
    house.database.do("alter table shop.items add extra int")
    assert "+ column shop.items.extra" in house.db("verify", "--on", "env:SCRATCH", exit=10).out
