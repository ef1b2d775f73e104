"""`cbctl db roles`: what the service and readers may do, on a real Postgres."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.integration.db.conftest import Database, Server, new_database
from tests.integration.db.roles_house import RolesHouse
from tests.integration.db.test_commands import House as Commands
from tests.testbed.forked import Forked
from tests.testbed.postgres import ANY
from tests.testbed.waiting import wait_for

from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.engine.canonical import plain
from cbctl.engine.step import Blocked, Changes, Nothing, NotVerified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db.roles import STEP
from cbctl.steps.in_cluster.task import facts_of

FIRST = """
create table bets (id bigserial primary key, amount bigint not null);
create view large as select * from bets where amount > 100;
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> RolesHouse:
    made = RolesHouse(database.server, database.name, tmp_path)
    made.migrate(FIRST)
    return made


@pytest.fixture
def any_house(one_database: Database, tmp_path: Path) -> RolesHouse:
    made = RolesHouse(one_database.server, one_database.name, tmp_path)
    made.migrate(FIRST)
    return made


def test_what_each_may_do_also_with_later_tables(house: RolesHouse) -> None:
    done = house.put_right()
    assert f"role {house.app}" in done.changed
    assert "everybody on this database" in done.changed
    assert house.planned() == Nothing("the roles are as they should be")
    house.migrate("create table users (id serial, name text)", "create schema more")
    house.migrate(
        "create table more.notes (id int)", "create materialized view m as select 1 as one"
    )
    assert house.planned() == Nothing("the roles are as they should be"), "as they were made"

    house.as_(house.app, "insert into bets (amount) values (500)", "update bets set amount = 501")
    house.as_(
        house.app, "insert into users (name) values ('x')", "insert into more.notes values (1)"
    )
    assert house.as_(house.app, "select max(version) from schema_migrations") == [(5,)]
    for role in (house.app, house.readonly):
        house.refused(
            role,
            "delete from bets",
            "truncate bets",
            "create table made (id int)",
            "create table more.made (id int)",
            "create temporary table made (id int)",
            "create schema made",
            "alter table bets add column made int",
            "drop table bets",
            "update schema_migrations set description = ''",
            "delete from cbctl_fence",
            "insert into cbctl_marker values ('other', 'other')",
            "create role made",
            f"grant {house.owner} to current_user",
        )
    house.refused(house.app, "select * from cbctl_marker")
    for relation in ("bets", "large", "users", "more.notes", "m", "schema_migrations"):
        assert house.as_(house.readonly, f"select count(*) from {relation}") != [(0,)]
    assert house.as_(house.readonly, "select platform from cbctl_marker") == [("testing",)]
    house.refused(
        house.readonly,
        "insert into bets (amount) values (1)",
        "update users set name = ''",
        "select nextval('bets_id_seq')",
        "insert into more.notes values (2)",
    )
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server = house.server
        server.execute("postgres", f"create role x_{house.name} login password 'canary'")
        psycopg.connect(house.url(f"x_{house.name}", "canary"))


def test_drift_is_said_and_put_right(any_house: RolesHouse) -> None:
    house, server = any_house, any_house.server
    house.put_right()
    name = house.name
    server.execute(
        name,
        f'grant delete on bets to "{house.readonly}"',
        f'grant update (amount) on bets to "{house.readonly}"',
        f"grant select on bets to {house.app} with grant option",
        f"revoke insert on bets from {house.app}",
        "grant insert on bets to public",
        f"grant temporary on database {name} to public",
        f"alter role {house.app} createdb",
        f"create role {name}_group",
        f'grant {name}_group to "{house.readonly}"',
        f'alter role "{house.readonly}" nologin',
    )
    with psycopg.connect(house.context.secrets["database-url"], autocommit=True) as owner:
        words = "alter default privileges in schema public grant all on tables to"
        owner.execute(f'{words} "{house.readonly}"'.encode())
    verdict = house.planned()
    assert isinstance(verdict, Changes)
    said = {change.what: (change.before, change.after) for change in verdict.changes}
    assert said[f"role {house.app}"] == ("createdb", "may log in")
    assert said[f"role {house.readonly}"] == (f"nologin, member of {name}_group", "may log in")
    assert said[f"{house.readonly} on table"] == (
        "also delete, update (amount) on public.bets",
        "not that",
    )
    assert said[f"{house.app} on table"] == (
        "also grant option for select on public.bets",
        "insert on public.bets",
    )
    assert said["everybody on table"] == ("also insert on public.bets", "not that")
    assert said["everybody on this database"] == (f"also temporary on {name}", "not that")
    new, _ = said[f"{house.readonly} on new tables"]
    assert "insert" in str(new) and str(new).endswith("on public")
    assert not any("password" in what for what in said), "it holds"
    verdict = STEP.verify(house.context, house.inputs)
    assert isinstance(verdict, NotVerified) and "not as it should be" in verdict.why
    house.put_right()
    house.refused(house.readonly, "delete from bets", "update bets set amount = 1")


def test_a_password_is_changed_where_the_secret_has(any_house: RolesHouse) -> None:
    house = any_house
    house.put_right()
    before = house.as_(house.app, "select 1")
    house.passwords[house.app] = "canary-" + secrets.token_hex(8)
    house.context.secrets["app-url"] = house.url(house.app)
    verdict = house.planned()
    assert isinstance(verdict, Changes)
    assert [change.what for change in verdict.changes] == [f"password of {house.app}"]
    assert not any(word in str(verdict) for word in house.passwords.values())
    house.put_right()
    assert house.as_(house.app, "select 1") == before
    with house.server.connect(house.name) as connection:
        words = "select rolpassword from pg_authid where rolname = %s"
        kept = connection.execute(words, (house.app,)).fetchone()
    assert kept is not None and str(kept[0]).startswith("SCRAM-SHA-256$")


def test_no_password_reaches_the_server(servers: Callable[[str], Server], tmp_path: Path) -> None:
    """Its log, with every statement, shows none."""
    server = servers(ANY)
    server.execute("postgres", "alter system set log_statement = 'all'", "select pg_reload_conf()")
    try:
        wait_for(lambda: logged(server), 30, "the setting")
        house = RolesHouse(server, new_database(server).name, tmp_path)
        house.migrate(FIRST)
        house.put_right()
    finally:
        server.execute("postgres", "alter system reset log_statement", "select pg_reload_conf()")
    log = (server.data.parent / "postgres.log").read_text()
    assert f'"{house.app}" password' in log and "SCRAM-SHA-256$" in log
    assert not any(word in log for word in house.passwords.values())


def test_who_is_refused(any_house: RolesHouse) -> None:
    house, server = any_house, any_house.server
    # nobody may make roles
    alone = replace(house.inputs, admin=None)
    blocked = house.planned(alone)
    assert isinstance(blocked, Blocked) and "may not make or change roles" in blocked.why
    assert isinstance(house.planned(replace(alone, environment="other")), Blocked)
    house.put_right()
    assert house.planned(alone) == Nothing("the roles are as they should be"), "nor need it"
    # whoever owns something may do anything with it
    server.execute(house.name, f"alter view large owner to {house.app}")
    blocked = house.planned()
    assert isinstance(blocked, Blocked) and f"{house.app} owns 1 things" in blocked.why


def test_what_would_not_be_roles_of_their_own(any_house: RolesHouse) -> None:
    house, server = any_house, any_house.server
    for url, said in (
        (house.context.secrets["database-url"], "is another role already"),
        (house.context.secrets["readonly-url"], "is another role already"),
        (house.url(house.app) + "x", "of the database"),
        (f"postgresql://{house.app}@127.0.0.1:{server.port}/{house.name}", "no password"),
    ):
        house.context.secrets["app-url"] = url
        with pytest.raises(CbctlError, match=said) as caught:
            house.planned()
        assert caught.value.exit is Exit.USAGE
    house.context.secrets.pop("app-url")
    with pytest.raises(CbctlError, match="names no roles"):
        house.planned(replace(house.inputs, app=None, readonly=None))


def test_a_database_without_migrations(one_database: Database, tmp_path: Path) -> None:
    house = RolesHouse(one_database.server, one_database.name, tmp_path)
    blocked = house.planned()
    assert blocked == Blocked("this database was never migrated", "cbctl db migrate")


def test_what_was_seen_in_a_cluster_is_the_same_here(any_house: RolesHouse) -> None:
    facts = STEP.observe(any_house.context, any_house.inputs).facts
    sent = msgspec.json.encode(plain(facts))
    assert msgspec.convert(msgspec.json.decode(sent), facts_of(STEP)) == facts


def test_as_a_person_runs_it(tmp_path: Path, forked: Forked, one_database: Database) -> None:
    house = Commands(tmp_path, forked, one_database)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    house.configure()
    assert "names no roles" in house.db("roles", "--plan", exit=64).err
    file, url = tmp_path / "cbctl.yaml", 'url: "${env:DATABASE_URL}"'
    roles = 'app: "${env:APP_URL}", app_may: [select], readonly: "${env:READONLY_URL}"'
    file.write_text(file.read_text().replace(url, f"{url}, roles: {{{roles}}}"))
    name, password = one_database.name, secrets.token_hex(8)
    (tmp_path / ".env.dev").write_text(
        "".join(
            f"{variable}=postgresql://{name}_{role}:canary-{password}@127.0.0.1:"
            f"{one_database.server.port}/{name}\n"
            for variable, role in (("APP_URL", "app"), ("READONLY_URL", "reader"))
        )
    )
    (tmp_path / ".env.dev").chmod(0o600)
    record_marker(one_database.address, Marker("test-house", "dev"))
    house.write(m1_a__up="create table bets (id int)")
    assert "never migrated" in house.db("roles", "--plan", exit=7).out
    house.db("migrate", "--yes")
    planned = house.db("roles", "--plan", exit=2)
    assert f"role {name}_app" in planned.out and f"{name}_reader on table" in planned.out
    done = house.db("roles", "--yes", "-o", "json")
    assert f"password of {name}_app" in done.json["outcome"]["changed"]
    assert house.db("roles", "--yes", "-o", "json").json["result"] == "unchanged"
    house.db("verify")
    for one in (planned, done):
        assert password not in one.out + one.err


def test_who_is_connected_only_because_everybody_may(any_house: RolesHouse) -> None:
    house, server = any_house, any_house.server
    role = f"metrics_{house.name}"
    server.execute("postgres", f"create role {role} login password 'canary'")
    with psycopg.connect(house.url(role, "canary")):
        seen = STEP.observe(house.context, house.inputs).evidence
    assert seen == {"notes": f"connected now, and not again unless CONNECT is granted: {role}"}


def logged(server: Server) -> bool:
    with server.connect("postgres") as connection:
        return connection.execute("show log_statement").fetchone() == ("all",)
