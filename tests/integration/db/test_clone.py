"""`cbctl db clone`: another environment's data, with other people in it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests.integration.db.backup_house import BackupHouse, back_up, house_on
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.clients.backups import manifest as manifests

CLASSIFIED = r"""
[people]
id = "keep"
name = { sql = "'person ' || id" }
feels = "keep"
at = "keep"
weight = "null"
photo = { sql = "sha256(id::text::bytea)" }

['public."Odd ""name"']
cbctl_row = "keep"
t = "keep"

[odd_low]
cbctl_row = "keep"
t = { sql = "'y' || cbctl_row" }

["large objects"]
data = "null"
"""


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    return house_with_a_test(tmp_path, forked, one_database)


def house_with_a_test(tmp_path: Path, forked: Forked, database: Database) -> BackupHouse:
    """An environment `test` beside it, whose database is not there yet."""
    made = house_on(tmp_path, forked, database)
    settings = tmp_path / "cbctl.yaml"
    text = settings.read_text()
    other = text[text.index("  dev:") :].replace("  dev:", "  test:").replace("URL}", "URL_TEST}")
    settings.write_text(text + other)
    name = database.name
    made.more = {"DATABASE_URL_TEST": database.url.replace(name, f"{name}_test")}
    (tmp_path / "migrations" / "anonymize.toml").write_text(CLASSIFIED)
    return made


CLONE = ("clone", "--from", "last", "--from-env", "dev", "--env", "test", "--yes")


def test_whose_data_it_is_says_the_data(house: BackupHouse) -> None:
    """A manifest may be edited: the copy is looked at before it takes the live one's place."""
    made = back_up(house)
    file = made / "manifest.json"
    manifest = manifests.read(file.read_bytes(), "")
    file.write_bytes(manifests.to_bytes(msgspec.structs.replace(manifest, environment="test")))
    words = ("restore", "last", "--in", str(made.parent), "--env", "test", "--yes")
    refused = house.db(*words, exit=5)
    assert "belongs to test-house/dev" in refused.err
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(house.more["DATABASE_URL_TEST"])


def test_a_clone_holds_no_value_that_was_to_go(house: BackupHouse) -> None:
    back_up(house)
    assert "only anonymized" in house.db(*CLONE, exit=7).err
    house.db(*CLONE, "--anonymize")
    with psycopg.connect(house.more["DATABASE_URL_TEST"]) as there:
        rows = there.execute(
            "select count(*), count(weight), count(*) filter (where name = 'person ' || id), "
            "count(*) filter (where photo = decode(md5(id::text), 'hex')) from people"
        ).fetchone()
        assert rows == (1000, 0, 1000, 0)
        assert there.execute("select count(*) from pg_largeobject").fetchone() == (0,)
        assert there.execute("select environment from cbctl_marker").fetchone() == ("test",)
    assert house.database.rows("select count(weight) from people") == [(1000,)]
    name = house.database.name
    house.db(*CLONE, "--anonymize", exit=7)  # it is live now
    house.db(*CLONE, "--anonymize", "--replace", f"{name}_test")


@pytest.mark.parametrize(
    ("old", "new", "exit", "told"),
    [
        ('weight = "null"\n', "", 7, "public.people.weight is not classified"),
        ('["large objects"]\ndata = "null"\n', "", 7, "the large objects are not classified"),
        ('data = "null"', 'data = "hash"', 64, "says of the large objects neither"),
        ('weight = "null"', 'weight = "null"\nlost = "keep"', 7, "lost is classified and not"),
        ('weight = "null"', 'weight = "hash"', 64, "neither keep, nor null, nor sql"),
        pytest.param(
            'weight = "null"',
            'weight = "null"\nweight = "keep"',
            64,
            "is no TOML",
            marks=pytest.mark.nightly,
        ),
        ("'person ' || id", "name", 5, "public.people.name: 1000 values"),
        pytest.param(
            "'person ' || id",
            "nobody(id)",
            5,
            "cannot anonymize public.people",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_what_is_not_decided_or_does_nothing_fails(
    old: str, new: str, exit: int, told: str, house: BackupHouse
) -> None:
    back_up(house)
    file = house.folder / "migrations" / "anonymize.toml"
    file.write_text(file.read_text().replace(old, new))
    assert told in house.db(*CLONE, "--anonymize", exit=exit).err
    assert (
        house.database.rows(
            f"select from pg_database where datname like '{house.database.name}\\_%'"
        )
        == []
    )


def test_a_protected_environment_takes_none(house: BackupHouse) -> None:
    back_up(house)
    settings = house.folder / "cbctl.yaml"
    text = settings.read_text()
    at = text.index("  test:")
    settings.write_text(text[:at] + text[at:].replace("protected: false", "protected: true"))
    told = house.db(*CLONE, "--anonymize", "--confirm", "test", exit=7)
    assert "takes no data of another" in told.err


KEEPERS = """
create function keep() returns trigger language plpgsql as 'begin return null; end';
create trigger keep before update on people for each row execute function keep();
alter table people add loud text generated always as (upper(name)) stored;
create table audit (name text);
create function note() returns trigger language plpgsql as
    $$ begin insert into public.audit values (old.name); return null; end $$;
create trigger note after update on people for each row execute function note();
create trigger never after update on people for each row execute function note();
create constraint trigger later after update on people deferrable initially deferred
    for each row execute function note();
create trigger part after update on "Odd ""name" for each row execute function note();
create trigger own after update on odd_low for each row execute function note();
alter table people enable always trigger note;
alter table people disable trigger never;
alter table odd_low enable replica trigger part;
create materialized view names as select name from people;
create materialized view longest as select max(name) as name from names;
create index on names (name);
create materialized view empty as select name from people with no data;
create schema crm;
create table crm.schema_migrations (email text);
insert into crm.schema_migrations select name from people;
create table keyed (name text primary key);
insert into keyed select name from people where id < 5;
create table refers (name text references keyed on update cascade);
insert into refers select name from keyed;
analyze;
"""
KEPT_TOO = """
[audit]
name = "null"

["crm.schema_migrations"]
email = "null"

[keyed]
name = { sql = "'key ' || md5(name)" }

[refers]
name = "keep"
"""


def classified_too() -> str:
    return CLASSIFIED.replace("[people]", '[people]\nloud = "keep"') + KEPT_TOO


TRIGGERS = (
    "select tgrelid::regclass::text, tgname, tgenabled from pg_trigger "
    "where tgname in ('keep', 'note', 'never', 'later', 'part', 'own') order by 1, 2"
)


def test_nothing_keeps_what_was_there_before(
    tmp_path: Path, forked: Forked, database: Database
) -> None:
    house = house_with_a_test(tmp_path, forked, database)
    house.database.do(KEEPERS)
    back_up(house)
    told = house.db(*CLONE, "--anonymize", exit=7).err
    assert "crm.schema_migrations.email is not classified" in told
    file = house.folder / "migrations" / "anonymize.toml"
    file.write_text(classified_too())
    house.db(*CLONE, "--anonymize")
    with psycopg.connect(house.more["DATABASE_URL_TEST"]) as there:
        old = "where name like 'name %'"
        for table in ("people", "audit", "names", "longest", "keyed", "refers"):
            found = there.execute(f"select count(*) from {table} {old}".encode()).fetchone()
            assert found == (0,), table
        counted = "select (select count(*) from names), (select count(email) from {0}), count(*) "
        found = there.execute("select count(*) from people where loud like 'NAME %'").fetchone()
        assert found == (0,)
        rows = there.execute(f"{counted.format('crm.schema_migrations')} from refers".encode())
        assert rows.fetchone() == (1000, 0, 4)
        # nor do statistics
        rows = there.execute(
            "select tablename, attname from pg_stats where schemaname not like 'pg\\_%' and "
            "(most_common_vals::text || histogram_bounds::text) like '%name 1%'"
        )
        assert rows.fetchall() == []
        assert there.execute(
            "select relispopulated from pg_class where relname = 'empty'"
        ).fetchone() == (False,)
        assert there.execute(TRIGGERS.encode()).fetchall() == house.database.rows(TRIGGERS)


def test_by_a_role_that_owns_the_copy_and_no_more(
    tmp_path: Path, forked: Forked, database: Database
) -> None:
    house = house_with_a_test(tmp_path, forked, database)
    server, plain = database.server, f"plain_{database.name}"
    server.execute("postgres", f"create role {plain} login password '{server.password}'")
    url = house.more["DATABASE_URL_TEST"]
    house.more["ADMIN_URL"] = server.url("postgres")
    house.more["DATABASE_URL_TEST"] = url.replace(server.user + ":", f"{plain}:", 1)
    settings = house.folder / "cbctl.yaml"
    test = 'url: "${env:DATABASE_URL_TEST}"'
    settings.write_text(settings.read_text().replace(test, f'{test}, admin: "${{env:ADMIN_URL}}"'))
    database.do(KEEPERS)
    back_up(house)
    (house.folder / "migrations" / "anonymize.toml").write_text(classified_too())
    house.db(*CLONE, "--anonymize")
    with psycopg.connect(house.more["DATABASE_URL_TEST"]) as there:
        rows = there.execute("select count(*) from longest where name like 'person %'")
        assert rows.fetchone() == (1,)
        assert there.execute("select count(*) from pg_largeobject_metadata").fetchone() == (0,)


ELSEWHERE = """
create foreign data wrapper none;
create server elsewhere foreign data wrapper none;
create foreign table strangers (email text) server elsewhere;
"""
ONCE = """
create function once() returns int language plpgsql as
    $$ begin if exists (select from public.people where weight is null) then
        raise 'no more'; end if; return 1; end $$;
create materialized view fails as select public.once();
"""


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (ELSEWHERE, "public.strangers, a foreign table"),
        (ONCE, "cannot remove what the database still holds of before: no more"),
    ],
)
def test_what_cannot_be_made_new_fails(house: BackupHouse, made: str, told: str) -> None:
    house.database.do(made)
    back_up(house)
    assert told in house.db(*CLONE, "--anonymize", exit=5).err
    assert (
        house.database.rows(
            f"select from pg_database where datname like '{house.database.name}\\_%'"
        )
        == []
    )


def test_nobody_reads_a_copy_before_it_is_anonymized(house: BackupHouse) -> None:
    name, server = house.database.name, house.database.server
    server.execute(
        "postgres",
        f"create role app_{name} login password '{server.password}'",
        f"grant pg_read_all_data to app_{name}",
    )
    app = house.more["DATABASE_URL_TEST"].replace(server.user + ":", f"app_{name}:", 1)
    file = house.folder / "migrations" / "anonymize.toml"
    slow = "'person ' || id || left(pg_sleep(0.005)::text, 0)"
    file.write_text(CLASSIFIED.replace("'person ' || id", slow))
    back_up(house)
    copies = f"select datname from pg_database where datname like '{name}\\_test\\_%'"
    seen: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-m", "cbctl", "db", *CLONE, "--anonymize"],
        cwd=house.folder,
        env=house.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            for (copy,) in house.database.rows(copies):
                seen.add(read(app.replace(f"{name}_test", str(copy))))
            time.sleep(0.02)
    assert process.returncode == 0
    # open for a moment before it is exchanged, but not before it is anonymized
    assert "closed" in seen and seen <= {"closed", "gone", "anonymized"}
    assert read(app) == "anonymized"


def read(url: str) -> str:
    try:
        with psycopg.connect(url) as there:
            old = there.execute("select from people where name like 'name %'").fetchone()
        return "anonymized" if old is None else "people"
    except psycopg.Error as error:
        text = str(error)
        ended = ("does not exist" in text and "database" in text) or "terminating" in text
        return "closed" if "permission denied" in text else "gone" if ended else text
