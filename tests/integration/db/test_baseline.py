"""`cbctl db baseline`: a database that something else has migrated is taken over."""

from __future__ import annotations

from tests.integration.db.conftest import new_database
from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture


def foreign(house: House) -> None:  # noqa: F811
    """Its database was made by somebody else, from the same statements."""
    house.database = new_database(house.database.server)
    house.write(
        m1_a__up="create table a (id int primary key)",
        m2_b__up="create table b (id int references a)",
        m3_c__up="alter table a add name text",
    )
    house.database.do(
        "create table a (id int primary key); insert into a values (1); "
        "create table b (id int references a)"
    )
    url = house.database.server.url("postgres")
    file = house.folder / ".env.dev"
    file.write_text(f"SCRATCH={url}\nDATABASE_URL={house.database.url}\n")
    file.chmod(0o600)


def test_taken_over_at_a_version_and_migrated_from_there(house: House) -> None:  # noqa: F811
    foreign(house)
    assert "it is not empty" in house.db("migrate", "--yes", exit=7).err
    baseline = ("baseline", "--to", "2", "--on", "env:SCRATCH")
    planned = house.db(*baseline, "--plan", exit=2).out
    assert "0001_a" in planned and "recorded, not run" in planned and "0003_c" not in planned
    assert house.database.rows("select to_regclass('schema_migrations') is null") == [(True,)]

    done = house.db(*baseline, "--yes", "-o", "json").json
    assert done["outcome"]["recorded"] == ["0001_a", "0002_b"]
    assert house.states() == [(1, "applied"), (2, "applied"), (3, "due")]
    assert "not run" in house.db("status").out
    assert house.db(*baseline, "--yes", "-o", "json").json["result"] == "unchanged"
    house.db("migrate", "--yes")
    assert house.database.rows("select id, name from a") == [(1, None)]
    again = house.db(*baseline, "--yes", exit=7)
    assert "migrations up to 0003 are recorded already" in again.err


def test_another_schema_is_refused_with_the_difference(house: House) -> None:  # noqa: F811
    foreign(house)
    for version, line in (("1", "+ table public.b"), ("3", "- column public.a.name text")):
        refused = house.db("baseline", "--to", version, *("--on", "env:SCRATCH"), "--yes", exit=7)
        assert f"not what the migrations up to 000{version} build" in refused.err, refused
        assert line in refused.err, refused
    assert house.database.rows("select to_regclass('cbctl_marker') is null") == [(True,)]
    assert "no migration 0009" in house.db("baseline", "--to", "9", "--yes", exit=7).err
    house.database.do("create table schema_migrations (version bigint, dirty boolean)")
    assert "golang-migrate" in house.db("baseline", "--to", "2", "--yes", exit=7).err
    house.database.do("drop table schema_migrations, a, b")
    assert "is empty" in house.db("baseline", "--to", "2", "--yes", exit=7).err
