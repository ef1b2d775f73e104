"""`cbctl db trace`: what pending migrations would do to others, seen in a scratch database."""

from __future__ import annotations

from typing import Any

from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture


def traced(house: House) -> dict[str, Any]:  # noqa: F811
    """Statement → what it does, over all migrations."""
    found = house.db("trace", "-o", "json").json
    return {one["sql"]: one for migration in found for one in migration["statements"]}


def locks(statement: Any) -> dict[str, str]:
    return {lock["relation"]: lock["mode"] for lock in statement["locks"]}


def test_locks_and_rewrites_of_each_statement(house: House) -> None:  # noqa: F811
    house.write(
        m1_base__up="create table users (id int primary key, name text); create table pets ()"
    )
    house.db("migrate", "--yes")
    assert "every migration is applied" in house.db("trace").out
    house.write(
        m2_change__up="-- first\ncreate table new (id int);\n"
        "alter table new add at date;\n"
        "alter table users add age int default 5;\n"
        "alter table users alter id type bigint;\n"
        "select pg_sleep(0.2);\n"
        "create index by_age on users (age);\n"
        "insert into pets default values;",
        m3_index__up="-- cbctl: transaction=none\ncreate index concurrently by_name "
        "on users (name)",
        m4_after__up="-- cbctl: phase=post\ncreate trigger t before update on users "
        "for each row execute function suppress_redundant_updates_trigger()",
        m5_gone__up="-- cbctl: transaction=none\ndrop index concurrently by_name",
        m6_clean__up="-- cbctl: transaction=none\nvacuum users",
    )
    found = traced(house)
    assert locks(found["create table new (id int)"]) == {}
    assert locks(found["alter table new add at date"]) == {}
    cheap = found["alter table users add age int default 5"]
    assert locks(cheap) == {"public.users": "AccessExclusiveLock"}
    assert cheap["rewrites"] == [] and cheap["line"] == 4
    assert cheap["locks"][0]["blocks"] == "reads and writes"
    assert cheap["locks"][0]["held_ms"] >= 200  # the one that sleeps is in the same transaction
    dear = found["alter table users alter id type bigint"]
    assert dear["rewrites"] == ["public.users", "public.users_pkey"]
    assert locks(found["insert into pets default values"]) == {"public.pets": "RowExclusiveLock"}
    aside = found["create index concurrently by_name on users (name)"]
    assert locks(aside)["public.users"] == "ShareUpdateExclusiveLock"
    assert [lock["blocks"] for lock in aside["locks"] if lock["relation"] == "public.users"] == [""]
    gone = found["drop index concurrently by_name"]
    assert locks(gone)["public.users"] == "ShareUpdateExclusiveLock"
    trigger = next(one for sql, one in found.items() if sql.startswith("create trigger"))
    assert trigger["locks"][0] | {"held_ms": 0} == {
        "relation": "public.users",
        "mode": "ShareRowExclusiveLock",
        "blocks": "writes",
        "held_ms": 0,
    }
    assert found["vacuum users"]["locks"] is None

    said = house.db("trace").out
    assert "line 4: alter table users add age int default 5" in said
    assert "AccessExclusiveLock on public.users: blocks reads and writes, " in said
    assert "rewrites public.users\n" in said and "its locks could not be seen" in said
    # the environment's own database was left alone
    assert house.database.rows("select to_regclass('new') is null") == [(True,)]
    assert [state for _, state in house.states()].count("applied") == 1


def test_one_that_fails_is_named_with_its_line(house: House) -> None:  # noqa: F811
    house.write(m1_a__up="create table a (id int);\n\nselect missing from a;")
    failed = house.db("trace", exit=1)
    assert 'column "missing" does not exist' in failed.err
    assert "0001_a.up.sql:3" in failed.err
