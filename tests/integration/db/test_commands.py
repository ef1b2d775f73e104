"""`cbctl db` as a person runs it, on a real Postgres."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.forked import Forked
from tests.testbed.waiting import wait_for

_CONFIG = """
version: 1
platform: test-house
environments:
  dev:
    protected: {protected}
    chain: {{ on: external, cluster: devnet, rpc: ["http://127.0.0.1:9"] }}
    program: {{ name: none, elf: none.so, idl: none.json, wallet: "${{file:wallet.json}}" }}
    migrations: {{ folder: migrations, schema: schema.json }}
    database: {{ on: external, access: {access}, url: "${{env:DATABASE_URL}}" }}
    cache: {{ on: external, url: "${{env:REDIS_URL}}" }}
    api:
      on: kubernetes
      source: .
      module: none
      port: 3000
      health: /health
      ready: /ready
      environment: {{}}
    clusters: {{ {cluster}: {{ context: none, namespace: none }} }}
"""


@dataclass(frozen=True)
class Done:
    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class House:
    folder: Path
    forked: Forked
    database: Any

    def configure(self, *, protected: bool = False, access: str = "direct") -> None:
        # without a `main` cluster journals stay in this folder
        cluster = "main" if access == "in-cluster" else "other"
        text = _CONFIG.format(protected=str(protected).lower(), access=access, cluster=cluster)
        (self.folder / "cbctl.yaml").write_text(text.lstrip())

    def write(self, **files: str) -> None:
        """Migrations: `m1_a__up="…"` is 0001_a.up.sql."""
        for name, content in files.items():
            number, _, rest = name.removeprefix("m").partition("_")
            path = self.folder / "migrations" / f"{int(number):04d}_{rest.replace('__', '.')}.sql"
            path.write_text(content)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CBCTL_STATE_DIR": str(self.folder / "state"),
            "CBCTL_ENV": "dev",
            "DATABASE_URL": self.database.url,
        }

    def db(self, *words: str, exit: int = 0) -> Done:
        ended = self.forked.run(("db", *words), cwd=self.folder, env=self.environment, limit=200)
        done = Done(ended.exit, ended.out, ended.err)
        assert "Traceback" not in done.err and "defect of cbctl" not in done.err, done
        assert self.database.server.password not in done.out + done.err
        assert done.exit == exit, done
        return done

    def states(self) -> list[tuple[int, str]]:
        rows = self.db("status", "-o", "json").json["rows"]
        return [(row["version"], row["state"]) for row in rows]


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Any) -> House:
    made = House(tmp_path, forked, one_database)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    made.configure()
    # what `cbctl` does once for an environment whose database is elsewhere
    from cbctl.clients.postgres.ledger import Marker, record_marker

    record_marker(one_database.address, Marker("test-house", "dev"))
    return made


def test_there_and_back(house: House) -> None:
    house.write(
        m1_users__up="create table users (id int);",
        m1_users__down="drop table users;",
        m2_index__up="-- cbctl: transaction=none\ncreate index concurrently u on users (id)",
        m2_index__down="-- cbctl: transaction=none\ndrop index concurrently u",
        m3_drop__up="-- cbctl: phase=post\nalter table users add old int",
        m3_drop__down="alter table users drop old",
    )
    assert house.states() == [(1, "due"), (2, "due"), (3, "due")]
    planned = house.db("plan", exit=2)
    assert "0002_index (pre)\n  create index concurrently u on users (id);" in planned.out
    assert not house.database.rows("select from pg_class where relname = 'users'")
    assert "migration 0001_users" in house.db("migrate", "--plan", exit=2).out

    done = house.db("migrate", "--yes", "-o", "json").json
    assert done["outcome"]["applied"] == ["0001_users", "0002_index", "0003_drop"]
    assert house.states() == [(1, "applied"), (2, "applied"), (3, "applied")]
    assert "nothing to do: the schema is at 0003" in house.db("plan").out
    assert house.db("migrate", "--yes", "-o", "json").json["result"] == "unchanged"

    assert "taken back" in house.db("rollback", "--to", "1", "--plan", exit=2).out
    back = house.db("rollback", "--to", "1", "--yes", "-o", "json").json
    assert back["outcome"]["schema_version"] == 1
    assert house.database.rows("select to_regclass('u') is null") == [(True,)]
    assert house.db("rollback", "--to", "1", "--yes", "-o", "json").json["result"] == "unchanged"
    # not a new database any more, so what the code before could not bear waits
    assert house.states() == [(1, "applied"), (2, "due"), (3, "waiting")]
    house.db("migrate", "--phase", "all", "--yes")
    house.db("rollback", "--to", "0", "--yes")
    assert house.states() == [(1, "due"), (2, "due"), (3, "due")]
    assert house.database.rows("select to_regclass('users') is null") == [(True,)]


def test_what_cannot_go_back_is_refused_before_anything_changes(house: House) -> None:
    house.write(
        m1_a__up="create table a ()", m2_b__up="create table b ()", m2_b__down="drop table b"
    )
    house.db("migrate", "--yes")
    assert "0001_a has no down file" in house.db("rollback", "--to", "0", "--yes", exit=7).err
    house.write(m2_b__up="create table b (id int)")
    refused = house.db("rollback", "--to", "1", "--yes", exit=7)
    assert "0002_b is not what was applied" in refused.err
    assert house.database.rows("select count(*) from schema_migrations") == [(2,)]


def test_a_down_file_that_fails_leaves_its_migration(house: House) -> None:
    house.write(
        m1_a__up="create table a (id int)",
        m1_a__down="drop table a; select 1/0",
        m2_b__up="create table b ()",
        m2_b__down="drop table b",
    )
    house.db("migrate", "--yes")
    failed = house.db("rollback", "--to", "0", "--yes", exit=5)
    assert "0001_a.down.sql failed and was taken back" in failed.err
    assert "2 changes begun and not undone" in failed.err, "one of them was not made"
    assert house.states() == [(1, "applied"), (2, "due")]
    house.write(m1_a__down="drop table a")
    house.db("rollback", "--to", "0", "--yes")
    assert house.states() == [(1, "due"), (2, "due")]


def test_a_rollback_that_was_killed_goes_on(house: House) -> None:
    house.write(
        m1_a__up="create table a ()",
        m1_a__down="drop table a; select pg_sleep(60)",
        m2_b__up="create table b ()",
        m2_b__down="drop table b",
    )
    house.db("migrate", "--yes")
    command = [sys.executable, "-P", "-m", "cbctl", "db", "rollback", "--to", "0", "--yes"]
    with subprocess.Popen(
        command, cwd=house.folder, env=house.environment, stderr=subprocess.DEVNULL
    ) as process:
        sleeping = "select from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"
        sleeping += " and datname = current_database() and query like '%pg_sleep(60)%'"
        wait_for(lambda: bool(house.database.rows(sleeping)), 60, "the down file to run")
        process.kill()
    assert house.database.rows("select version from schema_migrations") == [(1,)]
    house.write(m1_a__down="drop table a")
    house.db("rollback", "--to", "0", "--yes")
    assert house.states() == [(1, "due"), (2, "due")]


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        ("select count(*) = 1 from a", "a statement says false"),
        ("select 1; select missing from a", 'column "missing" does not exist (42703)'),
        ("insert into a values (1)", "read-only transaction (25006)"),
    ],
)
def test_a_verify_file_that_does_not_hold_takes_its_migration_back(
    house: House, verify: str, said: str
) -> None:
    house.write(m1_a__up="create table a (id int)", m1_a__verify=verify)
    failed = house.db("migrate", "--yes", exit=5)
    assert "0001_a.verify.sql does not hold: " in failed.err and said in failed.err
    assert house.states() == [(1, "due")]
    house.write(m1_a__verify="select count(*) = 0 from a; select id from a")
    house.db("migrate", "--yes")
    assert house.states() == [(1, "applied")]


def test_a_late_migration_has_to_be_let_through(house: House) -> None:
    house.write(m2_b__up="create table b ()")
    house.db("migrate", "--yes")
    house.write(m1_a__up="create table a ()")
    assert "0001_a is not applied although later ones are" in house.db("plan", exit=7).out
    assert "--out-of-order" in house.db("migrate", "--yes", exit=7).err
    assert "create table a ()" in house.db("plan", "--out-of-order", exit=2).out
    house.db("migrate", "--out-of-order", "--yes")
    assert house.states() == [(1, "applied"), (2, "applied")]


def test_invalid_indexes_are_shown(house: House) -> None:
    house.write(m1_a__up="create table a (id int); insert into a values (1), (1)")
    house.db("migrate", "--yes")
    with house.database.connect() as connection, pytest.raises(Exception, match="could not create"):
        connection.execute("create unique index concurrently broken on a (id)")
    assert house.db("status", "-o", "json").json["invalid"] == ["public.broken"]
    assert "reindex index concurrently public.broken" in house.db("status").out


def test_a_new_migration(house: House) -> None:
    first = house.db("create", "add_users").out.split()
    assert [Path(name).name for name in first] == [
        "0001_add_users.up.sql",
        "0001_add_users.down.sql",
    ]
    house.db("create", "contract", "--phase", "post", "--no-transaction")
    up = house.folder / "migrations" / "0002_contract.up.sql"
    assert up.read_text() == "-- cbctl: phase=post transaction=none\n"
    assert "cannot be the name" in house.db("create", "No-Name", exit=64).err


def test_an_empty_database_is_taken_only_when_that_is_said(house: House) -> None:
    house.database.do("drop table cbctl_marker")
    house.write(m1_a__up="create table a ()")
    assert "--new-database" in house.db("migrate", "--yes", exit=7).err
    assert house.database.rows("select to_regclass('cbctl_marker') is null") == [(True,)]
    house.db("migrate", "--new-database", "--yes")
    assert house.states() == [(1, "applied")]
    house.database.do("drop table cbctl_marker")
    refused = house.db("migrate", "--new-database", "--yes", exit=7)
    assert "it is not empty" in refused.err


def test_a_protected_environment_wants_its_name(house: House) -> None:
    house.configure(protected=True)
    house.write(m1_a__up="create table a ()", m1_a__down="drop table a")
    assert "--confirm dev" in house.db("migrate", "--yes", exit=64).err
    house.db("migrate", "--confirm", "dev")
    house.db("rollback", "--to", "0", exit=64)
    assert house.states() == [(1, "applied")]


@pytest.mark.parametrize(
    "words", ["status", "plan", "migrate", "migrate --plan", "rollback --to 0"]
)
def test_a_database_in_a_cluster_is_not_tried(house: House, words: str) -> None:
    house.configure(access="in-cluster")
    refused = house.db(*words.split(), exit=64)
    assert "only from inside its cluster" in refused.err
    assert "jobs.image is not set" in refused.err


@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.nightly)])
def test_many_down_and_up_again(house: House, count: int) -> None:
    """A large set from empty, back to empty, and up again: the schema is the same."""
    for n in range(1, count + 1):
        house.write(
            **{
                f"m{n}_t__up": f"create table t{n} (id bigserial primary key, name text);\n"
                f"do $$ begin perform 1; end $$;\n"
                f"create function f{n}() returns int language plpgsql as "
                f"$f$ begin return {n}; end $f$;\ncreate index i{n} on t{n} (name);",
                f"m{n}_t__down": f"drop function f{n}();\ndrop table t{n};",
            }
        )
    (house.folder / "schema.json").write_text(json.dumps({"min": 0, "max": count}))

    def schema() -> list[Any]:
        columns: list[Any] = house.database.rows(
            "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)"
            " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
            " where c.relnamespace = 'public'::regnamespace order by 1, a.attnum"
        )
        functions: list[Any] = house.database.rows(
            "select proname::text from pg_proc where pronamespace = 'public'::regnamespace"
            " order by 1"
        )
        return columns + functions

    house.db("migrate", "--yes")
    full = schema()
    assert len(full) > count
    house.db("rollback", "--to", "0", "--yes")
    empty = schema()
    assert not any(row[0].startswith(("t1", "f1", "i1")) for row in empty)
    house.db("migrate", "--yes")
    assert schema() == full
