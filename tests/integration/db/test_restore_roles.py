"""`cbctl db restore` and `clone` of a database with roles, by an operator who is no superuser."""

from __future__ import annotations

import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.integration.db.backup_house import BackupHouse, back_up
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.databases import swap
from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.config.reference import Secret
from cbctl.engine.canonical import plain
from cbctl.errors import CbctlError
from cbctl.steps.db import clone, restore
from cbctl.steps.db._exchange import Live
from cbctl.steps.db._restoring import Facts
from cbctl.steps.db._roles import Member
from cbctl.steps.in_cluster.task import facts_of

PASSWORD = "canary-" + secrets.token_hex(8)
USERS = """
create table users (id bigserial primary key, name text not null);
insert into users (name) select 'user ' || n from generate_series(1, 20) n;
"""
CLASSIFIED = """
[users]
id = "keep"
name = { sql = "'nobody ' || id" }
"""
SETTINGS = (
    'admin: "${env:ADMIN_URL}", roles: {app: "${env:APP_URL}", readonly: "${env:READONLY_URL}"}'
)


class OperatorsHouse(BackupHouse):
    """Two environments on one server, `dev` and `test`; each database has an owner of its own who
    is nobody special, and URLs of two roles. Of `test` there is only the owner."""

    @property
    def name(self) -> str:
        return str(self.database.name)

    def says(self, *words: str, exit: int) -> str:
        """Its words, however the lines are broken."""
        done = self.db(*words, exit=exit)
        return " ".join((done.out + done.err).split())

    def url(self, role: str, database: str = "") -> str:
        port = self.database.server.port
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{port}/{database or self.name}"

    def as_(self, role: str, statement: str, database: str = "") -> object:
        with psycopg.connect(self.url(role, database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def administer(self, *statements: str) -> None:
        self.database.server.execute("postgres", *statements)

    def lose_roles(self) -> None:
        """As on a new server."""
        self.administer(f"drop database {self.name}")
        self.administer(f"drop role {self.name}_app", f"drop role {self.name}_reader")


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> OperatorsHouse:
    made = OperatorsHouse(tmp_path, forked, one_database)
    name = one_database.name
    made.administer(
        f"create role {name}_admin login createdb createrole password '{PASSWORD}'",
        f"grant pg_signal_backend to {name}_admin",
    )
    for database in (name, f"{name}_test"):
        made.administer(
            f"create role {database}_owner login password '{PASSWORD}'",
            f"grant {database}_owner to {name}_admin",
        )
        made.more |= {
            f"{word}{'' if database == name else '_TEST'}": made.url(role, at)
            for word, role, at in (
                ("DATABASE_URL", f"{database}_owner", database),
                ("ADMIN_URL", f"{name}_admin", "postgres"),
                ("APP_URL", f"{database}_app", database),
                ("READONLY_URL", f"{database}_reader", database),
            )
        }
    made.administer(f"alter database {name} owner to {name}_owner")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    made.configure()
    made.settings(SETTINGS)
    file = tmp_path / "cbctl.yaml"
    text = file.read_text()
    other = text[text.index("  dev:") :].replace("  dev:", "  test:").replace("URL}", "URL_TEST}")
    file.write_text(text + other)
    (tmp_path / "migrations" / "anonymize.toml").write_text(CLASSIFIED)
    owner = replace(one_database.address, user=f"{name}_owner", password=Secret(PASSWORD))
    record_marker(owner, Marker("test-house", "dev"))
    made.write(m1_users__up=USERS)
    made.db("migrate", "--yes")
    return made


def test_where_the_roles_are_not_there_they_are_made(house: OperatorsHouse) -> None:
    name = house.name
    house.db("roles", "--yes")
    back_up(house)
    house.lose_roles()
    planned = house.says("restore", "--plan", exit=2)
    assert f"role {name}_app" in planned and f"password of {name}_reader" in planned
    assert "as database.roles says" in planned
    assert "old; it was never proved" in planned and "there is no live one" in planned
    done = house.db("restore", "--yes")
    assert house.as_(f"{name}_app", "select count(*) from users") == 20
    house.as_(f"{name}_app", "insert into users (name) values ('new')")
    assert house.as_(f"{name}_reader", "select count(*) from users") == 21
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        house.as_(f"{name}_app", "update schema_migrations set description = ''")
    assert house.db("roles", "--yes", "-o", "json").json["result"] == "unchanged"
    for one in (planned, done.out, done.err):
        assert PASSWORD not in one


def test_a_backup_that_is_older_than_the_roles(house: OperatorsHouse) -> None:
    name = house.name
    back_up(house)
    house.db("roles", "--yes")
    house.write(m2_more__up="create table more (id int)")
    house.db("migrate", "--yes")
    planned = house.says("restore", "--replace", name, "--plan", exit=2)
    assert "its schema is 0001, the live one's is 0002" in planned
    house.db("restore", "--replace", name, "--yes")
    assert house.as_(f"{name}_app", "select count(*) from users") == 20
    assert house.db("roles", "--yes", "-o", "json").json["result"] == "unchanged"


def test_roles_that_nobody_will_make_are_named(house: OperatorsHouse) -> None:
    name = house.name
    house.db("roles", "--yes")
    house.administer(f'create role "{name} Metrics"', f"create role {name}_by_row")
    house.database.do(f'grant select (id) on users to "{name} Metrics"')
    house.database.do(f"create policy own on users for select to {name}_by_row using (id > 0)")
    back_up(house)
    house.database.do(f'drop owned by "{name} Metrics"')
    house.administer(f'drop role "{name} Metrics"')
    refused = house.says("restore", "--replace", name, "--plan", exit=7)
    assert f"does not have: {name} Metrics" in refused and "db clone --from" in refused
    house.db("clone", "--from", "last", "--into", f"{name}_copy", "--yes")
    assert house.as_(f"{name}_app", "select count(*) from users", f"{name}_copy") == 20
    house.database.do("drop policy own on users")
    house.administer(f"drop database {name}_copy", f"drop role {name}_by_row")
    refused = house.says("clone", "--from", "last", "--into", f"{name}_copy", exit=7)
    assert f"{name}_by_row" in refused

    house.administer(f"alter role {name}_admin nocreaterole")
    house.administer(f'create role "{name} Metrics"', f"create role {name}_by_row")
    house.lose_roles()
    refused = house.says("restore", exit=7)
    assert f"{name}_app, {name}_reader: not there" in refused and "CREATEROLE" in refused


def test_a_clone_takes_no_right_along(house: OperatorsHouse) -> None:
    name = house.name
    house.db("roles", "--yes")
    back_up(house)
    words = ("clone", "--from", "last", "--from-env", "dev", "--env", "test", "--anonymize")
    planned = house.says(*words, "--plan", exit=2)
    assert "data of test-house/dev" in planned and "anonymized as anonymize.toml says" in planned
    house.db(*words, "--yes")
    test = f"{name}_test"
    assert house.as_(f"{test}_app", "select max(name) from users", test) == "nobody 9"
    with psycopg.connect(house.url(f"{test}_owner", test)) as connection:
        row = connection.execute(
            "select has_table_privilege(%(role)s, 'users', 'select'), "
            "has_database_privilege(%(role)s, current_database(), 'connect'), "
            "(select count(*) from pg_default_acl where defaclacl::text like %(like)s)",
            {"role": f"{name}_app", "like": f"%{name}\\_app=%"},
        ).fetchone()
    assert row == (False, False, 0)
    again = house.says(*words, exit=7)
    assert f"the database {test} is live" in again and "cbctl db clone --from" in again
    ended = house.forked.run(
        ("runs", "list", "--env", "test", "-o", "json"),
        cwd=house.folder,
        env=house.environment,
        limit=200,
    )
    assert '"db clone"' in ended.out and "db restore" not in ended.out


def test_nobody_alive_is_made_somebody_else(house: OperatorsHouse) -> None:
    name = house.name
    back_up(house)
    words = ("clone", "--from", "last", "--anonymize", "--env", "dev")
    assert "become other people" in house.says(*words, "--replace", name, exit=7)
    house.db(*words, "--into", f"{name}_copy", "--yes")
    read = "select max(name) from users"
    assert house.as_(f"{name}_owner", read, f"{name}_copy") == "nobody 9"
    file = house.folder / "cbctl.yaml"
    file.write_text(file.read_text().replace("protected: false", "protected: true", 1))
    told = house.says(*words, "--replace", name, "--confirm", "dev", exit=7)
    assert "is protected" in told
    assert house.as_(f"{name}_owner", read) == "user 9"


def test_sessions_that_may_not_be_ended_are_named_before(house: OperatorsHouse) -> None:
    name = house.name
    back_up(house)
    with house.database.connect() as connected, psycopg.connect(house.url(f"{name}_owner")) as own:
        pid = connected.info.backend_pid
        refused = house.says("restore", "--replace", name, exit=7)
        assert f"{house.database.server.user} (process {pid})" in refused
        assert f"{name}_admin may not end" in refused
        own.execute("select 1")  # nobody was thrown out
        admin = Address(
            "127.0.0.1", house.database.server.port, "postgres", f"{name}_admin", Secret(PASSWORD)
        )
        with pytest.raises(CbctlError, match="none was ended"):  # who came after the look
            swap(admin, f"{name}_new", name, f"{name}_old", "")
        own.execute("select 1")
    house.administer(f"revoke pg_signal_backend from {name}_admin")
    house.administer(f"create role {name}_guest login password '{PASSWORD}'")
    with psycopg.connect(house.url(f"{name}_guest")):
        refused = house.says("restore", "--replace", name, exit=7)
        assert f"{name}_guest (process" in refused and "GRANT pg_signal_backend" in refused
    house.db("restore", "--replace", name, "--yes")


def test_one_table_comes_back_as_the_documentation_says(house: OperatorsHouse) -> None:
    name = house.name
    house.db("roles", "--yes")
    back_up(house)
    house.as_(f"{name}_app", "delete from users where id > 5")
    house.as_(f"{name}_app", "update users set name = 'changed since' where id = 1")
    copy = f"{name}_copy"
    house.db("restore", "--into", copy, "--yes")
    cbctl = f"{sys.executable} -m cbctl db shell --env dev"
    done = subprocess.run(
        f"{cbctl} -- -qc '\\connect {copy}' -c '\\copy users to stdout' | {cbctl} --write -- "
        "-c 'create temporary table lost (like users)' -c '\\copy lost from pstdin' "
        "-c 'insert into users select * from lost on conflict do nothing'",
        shell=True,
        cwd=house.folder,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0 and "INSERT 0 15" in done.stdout, done
    assert house.as_(f"{name}_app", "select count(*) from users") == 20
    assert house.as_(f"{name}_app", "select name from users where id = 1") == "changed since"
    house.process("db", "shell", "--env", "dev", "--write", "--", "-c", f"drop database {copy}")
    assert house.database.rows(f"select from pg_database where datname = '{copy}'") == []


def test_what_was_seen_in_a_cluster_is_the_same_here() -> None:
    facts = Facts(
        live=Live("shop", True, 15, Marker("test-house", "dev"), 1, False, "admin", ("a", "b")),
        backup="x",
        of="test-house/dev",
        digest="0",
        server=15,
        tool=15,
        may_create=True,
        taken=False,
        gaps=("a",),
        encrypted=False,
        version=1,
        members=("app", "reader"),
        missing=(Member("database.roles.app", "app", None, password=False),),
        strangers=("metrics",),
        may_make_roles=True,
    )
    sent = msgspec.json.encode(plain(facts))
    for step in (restore.STEP, clone.STEP):
        assert msgspec.convert(msgspec.json.decode(sent), facts_of(step)) == facts
