"""The plan of `db.migrate`, which needs no database."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.ledger import Applied, Marker, Survey
from cbctl.clients.postgres.migrations import Entry
from cbctl.clients.postgres.schema_range import read_range
from cbctl.config.types import Reference
from cbctl.engine.step import After, Blocked, Change, Changes, Nothing
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db.migrate import STEP, Facts, Inputs

INPUTS = Inputs(
    url=Reference(kind="env", name="DATABASE_URL"),
    folder=Path("migrations"),
    platform="testing",
    environment="local",
)
ONE = Entry(1, "one", "pre", "sum1", True, True)
TWO = Entry(2, "two", "post", "sum2", True, False)
DONE = Applied(1, "one", "pre", "sum1")
EMPTY = Survey(
    schema="public",
    table="none",
    empty=True,
    marker=None,
    building=False,
    pooled=False,
    replica=False,
    applied=(),
)
USED = replace(EMPTY, table="ours", empty=False, marker=Marker("testing", "local"), applied=(DONE,))
FACTS = Facts("", (ONE, TWO), SchemaRange(1, 2), USED)


def test_nothing_says_what_waits() -> None:
    assert STEP.plan(INPUTS, FACTS) == Nothing(
        "the schema is at 0001; waiting for a later phase: 1"
    )


def test_a_new_database_gets_both_phases_and_the_marker() -> None:
    facts = replace(FACTS, survey=EMPTY)
    assert STEP.plan(replace(INPUTS, create_marker=True), facts) == Changes(
        (
            Change("owner of the database", None, "testing/local"),
            Change("migration 0001_one", None, "pre"),
            Change("migration 0002_two", None, "post"),
        )
    )


def test_a_build_that_broke_off_goes_on_with_both_phases() -> None:
    facts = replace(FACTS, survey=replace(USED, building=True))
    assert STEP.plan(INPUTS, facts) == Changes((Change("migration 0002_two", None, "post"),))


def test_a_database_that_is_down_is_planned_later() -> None:
    verdict = STEP.plan(
        replace(INPUTS, database_step="pg"), replace(FACTS, down="refused", survey=None)
    )
    assert isinstance(verdict, After)
    assert verdict.needs == ("pg",)
    assert [change.what for change in verdict.may] == ["migration 0001_one", "migration 0002_two"]


@pytest.mark.parametrize(
    ("survey", "said"),
    [
        (EMPTY, "nothing in this database says"),
        (replace(USED, marker=None), "it is not empty"),
        (replace(USED, marker=Marker("testing", "production")), "belongs to testing/production"),
        (replace(USED, marker=Marker("other", "local")), "belongs to other/local"),
        (replace(USED, table="golang-migrate"), "golang-migrate"),
        (replace(USED, table="other"), "another tool"),
        (replace(USED, pooled=True), "pooler in transaction mode"),
        (replace(USED, replica=True), "read-only replica"),
        (replace(USED, applied=(replace(DONE, checksum="x"),)), "is not what was applied"),
        (
            replace(USED, applied=(DONE, Applied(3, "x", "post", "s"))),
            "the code works with at most",
        ),
    ],
)
def test_blocked(survey: Survey, said: str) -> None:
    verdict = STEP.plan(INPUTS, replace(FACTS, survey=survey))
    assert isinstance(verdict, Blocked)
    assert said in verdict.why
    assert verdict.fix


def test_a_newer_expanded_schema_is_no_obstacle() -> None:
    newer = replace(
        USED, applied=(DONE, Applied(2, "two", "post", "sum2"), Applied(3, "x", "pre", "s"))
    )
    assert STEP.plan(INPUTS, replace(FACTS, survey=newer)) == Nothing("the schema is at 0003")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"min": 1}',
        '{"min": 2, "max": 1}',
        '{"min": true, "max": 1}',
        '{"min": 1, "max": "2"}',
        '{"min": -1, "max": 1}',
        '{"min": 1, "max": 2, "x": 3}',
    ],
)
def test_a_bad_range_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(CbctlError) as caught:
        read_range(path, ())
    assert caught.value.where == str(path)
    assert caught.value.exit == Exit.USAGE


def test_a_missing_range_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CbctlError, match="cannot be read"):
        read_range(tmp_path / "absent.json", ())


def test_without_a_file_the_range_is_that_of_the_folder() -> None:
    assert read_range(None, (ONE, TWO)) == SchemaRange(0, 2)
    assert read_range(None, ()) == SchemaRange(0, 0)


def test_importing_the_step_imports_no_library() -> None:
    program = "import sys, cbctl.steps.db.migrate; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
