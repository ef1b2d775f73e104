"""`cbctl db repair`: what keeps migrations from running is mended, and nothing else."""

from __future__ import annotations

import subprocess

from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture

_INDEX = "-- cbctl: transaction=none\ncreate unique index concurrently once on a (id)"


def git(house: House, *words: str) -> None:  # noqa: F811
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=house.folder, check=True, capture_output=True)


def commit(house: House) -> None:  # noqa: F811
    git(house, "add", "migrations")
    git(house, "commit", "-q", "-m", "a")


def test_comments_may_change_and_statements_may_not(house: House) -> None:  # noqa: F811
    git(house, "init", "-q")
    house.write(
        m1_a__up="create table a (id int);", m2_b__up="create table b (t text default 'x, y');"
    )
    commit(house)
    house.db("migrate", "--yes")
    assert house.db("repair", "--yes", "-o", "json").json["result"] == "unchanged"

    house.write(m1_a__up="-- why it is there\ncreate table a (\n    id int -- a number\n);")
    commit(house)
    assert "is not what was applied" in house.db("migrate", "--yes", exit=7).err
    assert "checksum of 0001_a" in house.db("repair", "--plan", exit=2).out
    done = house.db("repair", "--yes", "-o", "json").json
    assert done["outcome"]["done"] == ["0001_a: its checksum is that of the file now"]
    assert house.db("migrate", "--yes", "-o", "json").json["result"] == "unchanged"

    for other in ("'x , y'", "E'x\\, y'", "'x, z'"):
        house.write(m2_b__up=f"create table b (t text default {other});")
        refused = house.db("repair", "--yes", exit=7)
        assert "0002_b is not what was applied: its statements are others" in refused.err


def test_without_git_nobody_can_tell(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int);")
    house.db("migrate", "--yes")
    house.write(m1_a__up="-- why\ncreate table a (id int);")
    assert "nobody can tell" in house.db("repair", "--yes", exit=7).err


def test_an_unfinished_migration_is_taken_back(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int); insert into a values (1), (1);")
    house.db("migrate", "--yes")
    house.write(m2_once__up=_INDEX)
    house.db("migrate", "--yes", exit=5)  # it leaves its index, invalid
    house.database.do(
        "update cbctl_fence set unfinished_version = 2, unfinished_checksum = 'x'"
    )  # as when cbctl was killed before the server's error came
    planned = house.db("repair", "--plan", exit=2).out
    assert "migration 0002_once" in planned and "index public.once" in planned
    done = house.db("repair", "--yes", "-o", "json").json["outcome"]["done"]
    assert done == ["index public.once: dropped", "0002_once: not begun any more"]
    assert house.database.rows("select unfinished_version from cbctl_fence") == [(None,)]
    assert house.db("status", "-o", "json").json["invalid"] == []
    house.database.do("delete from a")
    house.db("migrate", "--yes")


def test_invalid_indexes_are_built_anew_or_dropped(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int, n int); create unique index wanted on a (id);")
    house.db("migrate", "--yes")
    house.database.do("create index a_ccnew on a (n)")
    house.database.do(
        "update pg_index set indisvalid = false "
        "where indexrelid in ('wanted'::regclass, 'a_ccnew'::regclass)"
    )
    planned = house.db("repair", "--plan", exit=2).out
    assert "reindex index concurrently public.wanted" in planned
    done = house.db("repair", "--yes", "-o", "json").json["outcome"]["done"]
    assert done == ["index public.a_ccnew: dropped", "index public.wanted: built anew"]
    assert house.db("status", "-o", "json").json["invalid"] == []
    assert house.db("repair", "--yes", "-o", "json").json["result"] == "unchanged"


def test_one_that_cannot_be_built_is_told(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int); insert into a values (1), (1);")
    house.db("migrate", "--yes")
    house.write(m2_once__up=_INDEX)
    house.db("migrate", "--yes", exit=5)
    said = house.db("repair", "--yes", exit=5).err
    assert "could not create unique index" in said and "(1)" not in said
