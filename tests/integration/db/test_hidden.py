"""What a file of SQL may hide from cbctl: it stops at that, or says what stays."""

from __future__ import annotations

import pytest
from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture

HIDING = (
    "-- harmless\rcreate table hidden ();\rcommit;\rbegin;\r-- \rselect 1/0;\r",
    "select $\u2003$ $x\u2003$; $\u2003$; create table hidden (); commit; begin; select 1/0",
    "select e'a'\n'\\''; create table hidden (); commit; begin; select 1/0; --'",
)


@pytest.mark.parametrize("script", HIDING)
def test_a_commit_is_found_however_it_is_written(house: House, script: str) -> None:  # noqa: F811
    house.write(m1_a__up=script)
    assert "controls the transaction itself" in house.db("plan", exit=64).err
    assert "controls the transaction itself" in house.db("migrate", "--yes", exit=5).err
    assert house.database.rows("select to_regclass('hidden')") == [(None,)]
