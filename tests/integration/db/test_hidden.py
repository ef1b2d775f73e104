"""What a file of SQL may hide from cbctl: it stops at that, or says what stays."""

from __future__ import annotations

import pytest
from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture

HIDING = (
    "-- harmless\rcreate table hidden ();\rcommit;\rbegin;\r-- \rselect 1/0;\r",
    "select $\u2003$ $a$ $\u2003$; create table hidden (); commit; begin; select 1/0; -- $a$",
    "select e'a'\n'\\''; create table hidden (); commit; begin; select 1/0; --'",
)


@pytest.mark.parametrize("script", HIDING)
def test_a_commit_is_found_however_it_is_written(house: House, script: str) -> None:  # noqa: F811
    house.write(m1_a__up=script)
    assert "controls the transaction itself" in house.db("plan", exit=64).err
    assert "controls the transaction itself" in house.db("migrate", "--yes", exit=5).err
    assert house.database.rows("select to_regclass('hidden')") == [(None,)]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("select name::int from people", "invalid input syntax for type integer: *** (22P02)"),
        ("select name::date from people", "invalid input syntax for type date: *** (22007)"),
        ("alter table people alter name type int using name::int", "type integer: *** (22P02)"),
        ("insert into people select name from people", "duplicate key value violates unique"),
        ("select name::varchar::json from people", "invalid input syntax for type json (22P02)"),
    ],
)
def test_an_error_shows_nothing_of_a_row(
    house: House,  # noqa: F811
    script: str,
    said: str,
) -> None:
    house.write(m1_a__up="create table people (name text primary key)")
    house.db("migrate", "--yes")
    name = 'u4@example.invalid "the \n"middle'
    with house.database.connect() as connection:
        connection.execute("insert into people values (%s)", (name,))
    house.write(m2_b__up=script, m3_c__up="select 1", m3_c__verify=script)
    failed = house.db("migrate", "--yes", exit=5)
    assert said in " ".join(failed.err.split())
    house.write(m2_b__up="select 1")
    if not script.startswith(("alter", "insert")):
        assert said in " ".join(house.db("migrate", "--yes", exit=5).err.split())
    written = [file for file in (house.folder / "state").rglob("*") if file.is_file()]
    assert written
    for text in (failed.err, *(file.read_text(errors="replace") for file in written)):
        assert "example.invalid" not in text and "middle" not in text
