"""`db.migrate` as the engine calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.context import FakeContext

from cbctl.config.types import Reference
from cbctl.engine.canonical import plain
from cbctl.engine.step import After, Blocked, CannotUndo, Change, Changes, Nothing, Verified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db.migrate import STEP, Inputs, Outcome


def context(url: str | None) -> FakeContext:
    return FakeContext({} if url is None else {"database-url": url}, run="r7")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_a.up.sql").write_text("create table a ();")
    (folder / "0002_b.up.sql").write_text("-- cbctl: phase=post\ncreate table b ();")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"min": 1, "max": 2}))
    return Inputs(
        url=Reference(kind="state", name="database-url"),
        folder=folder,
        schema=schema,
        platform="testing",
        environment="local",
        create_marker=True,
    )


def test_fresh_then_nothing(database: Any, inputs: Inputs) -> None:
    ctx = context(database.url)
    facts = STEP.observe(ctx, inputs).facts
    json.dumps(plain(facts))
    verdict = STEP.plan(inputs, facts)
    assert verdict == Changes(
        (
            Change("owner of the database", None, "testing/local"),
            Change("migration 0001_a", None, "pre"),
            Change("migration 0002_b", None, "post"),
        )
    )
    assert isinstance(verdict, Changes)
    intent = STEP.identify(ctx, inputs, verdict.changes)
    outcome = STEP.apply(ctx, inputs, verdict.changes, intent)
    assert outcome == Outcome(2, 2, 1, 2, ("0001_a", "0002_b"))
    assert isinstance(STEP.verify(ctx, inputs), Verified)
    again = STEP.observe(ctx, inputs).facts
    assert STEP.plan(inputs, again) == Nothing("the schema is at 0002")
    assert STEP.outcome(ctx, inputs, again) == Outcome(2, 2, 1, 2)
    assert STEP.apply(ctx, inputs, verdict.changes, intent).applied == ()
    assert isinstance(STEP.undo(ctx, inputs, plain(facts), intent), CannotUndo)
    assert database.rows("select distinct applied_by from schema_migrations") == [
        ("owner in run r7",)
    ]


@pytest.mark.parametrize("broken", ["no URL", "refused", "no such database"])
def test_a_database_that_is_not_there_yet(one_server: Any, inputs: Inputs, broken: str) -> None:
    urls = {
        "no URL": None,
        "refused": "postgresql://u:canary@127.0.0.1:1/d",
        "no such database": one_server.url("absent"),
    }
    ctx = context(urls[broken])
    facts = STEP.observe(ctx, inputs).facts
    assert facts.down == broken
    verdict = STEP.plan(inputs, facts)
    assert isinstance(verdict, After)
    assert verdict.needs == ("postgres",)
    assert [change.what for change in verdict.may] == [
        "owner of the database",
        "migration 0001_a",
        "migration 0002_b",
    ]
    with pytest.raises(CbctlError) as caught:
        STEP.observe(ctx, replace(inputs, database_step=""))
    assert "canary" not in f"{caught.value} {caught.value.fix}"


def test_a_database_elsewhere_is_not_waited_for(inputs: Inputs) -> None:
    ctx = context("postgresql://u:canary@no-such-host.invalid/d")
    with pytest.raises(CbctlError, match="no such host") as caught:
        STEP.observe(ctx, inputs)
    assert caught.value.where == "database d on no-such-host.invalid:5432 as u"


def test_a_refused_login_is_an_error_of_credentials(one_database: Any, inputs: Inputs) -> None:
    ctx = context(one_database.url.replace(":canary", ":canary-wrong-canary"))
    with pytest.raises(CbctlError, match="login is refused") as caught:
        STEP.observe(ctx, inputs)
    assert caught.value.exit == Exit.CREDENTIALS
    assert "canary" not in f"{caught.value} {caught.value.fix}"


Prepare = Callable[[Any, Inputs], Inputs]


def _changed(database: Any, inputs: Inputs) -> Inputs:
    (inputs.folder / "0001_a.up.sql").write_text("create table other ();")
    return inputs


def _golang(database: Any, inputs: Inputs) -> Inputs:
    database.do("drop table schema_migrations")
    database.do("create table schema_migrations (version bigint, dirty boolean)")
    return inputs


def _too_old(database: Any, inputs: Inputs) -> Inputs:
    assert inputs.schema is not None
    inputs.schema.write_text('{"min": 1, "max": 1}')
    return inputs


def _too_new(database: Any, inputs: Inputs) -> Inputs:
    assert inputs.schema is not None
    inputs.schema.write_text('{"min": 3, "max": 3}')
    return inputs


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (_changed, "0001_a is not what was applied"),
        (_golang, "golang-migrate"),
        (lambda _, inputs: replace(inputs, environment="other"), "belongs to testing/local"),
        (_too_old, "the code works with at most 0001"),
        (_too_new, "the code needs at least 0003"),
    ],
)
def test_blocked(one_database: Any, inputs: Inputs, prepare: Prepare, said: str) -> None:
    ctx = context(one_database.url)
    first = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
    assert isinstance(first, Changes)
    STEP.apply(ctx, inputs, first.changes, None)
    inputs = prepare(one_database, inputs)
    verdict = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
    assert isinstance(verdict, Blocked)
    assert said in verdict.why
    assert verdict.fix


def test_a_file_added_after_the_plan_is_refused(one_database: Any, inputs: Inputs) -> None:
    ctx = context(one_database.url)
    verdict = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    (inputs.folder / "0003_c.up.sql").write_text("select 1;")
    inputs.schema.write_text('{"min": 1, "max": 3}') if inputs.schema else None
    with pytest.raises(CbctlError, match="0003_c was not in the plan") as caught:
        STEP.apply(ctx, inputs, verdict.changes, None)
    assert caught.value.exit == Exit.REFUSED
