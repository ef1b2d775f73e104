"""`db.maintain`, `db.analyze`, and open transactions that a migration may have to wait for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.db.conftest import Database
from tests.testbed.context import FakeContext
from tests.testbed.waiting import wait_for

from cbctl.config.types import Reference
from cbctl.engine.step import Changes, Nothing, NotVerified, Verified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db import migrate
from cbctl.steps.db._upkeep import Inputs
from cbctl.steps.db.analyze import STEP as ANALYZE
from cbctl.steps.db.maintain import STEP as MAINTAIN

INPUTS = Inputs(Reference(kind="state", name="database-url"))
ROWS = 1000


@pytest.fixture
def filled(database: Database) -> Database:
    """Two tables that nobody looks after by himself; one with many dead rows."""
    with database.connect() as connection:
        for name in ("bets", '"Odd name"'):
            connection.execute(f"create table {name} (id int) with (autovacuum_enabled = off)")
            connection.execute(f"insert into {name} select generate_series(1, {ROWS})")
        connection.execute("delete from bets where id > 10")
    wait_for(lambda: len(wanting(database)) == 2, 30, "statistics")
    return database


def context(database: Database) -> FakeContext:
    return FakeContext({"database-url": database.url})


def wanting(database: Database) -> tuple[tuple[str, str, str], ...]:
    return MAINTAIN.observe(context(database), INPUTS).facts.wanting


def carried_out(step: Any, database: Database) -> Any:
    ctx = context(database)
    verdict = step.plan(INPUTS, step.observe(ctx, INPUTS).facts)
    assert isinstance(verdict, Changes), verdict
    return step.apply(ctx, INPUTS, verdict.changes, step.identify(ctx, INPUTS, verdict.changes))


def test_what_wants_it_and_nothing_else(filled: Database) -> None:
    found = {name: (kind, why) for name, kind, why in wanting(filled)}
    assert found == {
        "public.bets": ("vacuum", f"{ROWS - 10} dead rows beside 10"),
        'public."Odd name"': ("analyze", "it was never analyzed"),
    }
    assert set(carried_out(ANALYZE, filled).tables) == set(found)
    assert dict(one[:2] for one in wanting(filled)) == {"public.bets": "vacuum"}
    assert carried_out(MAINTAIN, filled).tables == ("public.bets",)
    assert isinstance(MAINTAIN.verify(context(filled), INPUTS), Verified)
    facts = MAINTAIN.observe(context(filled), INPUTS).facts
    assert MAINTAIN.plan(INPUTS, facts) == Nothing("no table wants anything")


def test_nobody_queues_behind_it(filled: Database) -> None:
    with filled.connect() as other:
        other.execute("begin")
        other.execute("lock table bets in share update exclusive mode")
        with pytest.raises(CbctlError, match=r"holds a lock on public\.bets") as caught:
            carried_out(MAINTAIN, filled)
        assert caught.value.exit is Exit.TIMEOUT
        other.execute("rollback")
    carried_out(MAINTAIN, filled)


def test_rows_that_a_transaction_keeps_are_not_called_gone(filled: Database) -> None:
    with filled.connect() as other:
        other.execute("begin isolation level repeatable read")
        other.execute("select 1")
        with filled.connect() as connection:
            connection.execute('delete from "Odd name" where id > 10')
        wait_for(
            lambda: ('public."Odd name"', "vacuum") in [w[:2] for w in wanting(filled)], 30, "stats"
        )
        carried_out(MAINTAIN, filled)
        verdict = MAINTAIN.verify(context(filled), INPUTS)
        assert isinstance(verdict, NotVerified)
        assert "Odd name" in verdict.why and "open for long" in verdict.fix


def test_an_open_transaction_is_named_before_a_migration(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_a.up.sql").write_text("alter table bets add column at timestamptz;")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"min": 0, "max": 1}))
    given = migrate.Inputs(
        url=INPUTS.url,
        folder=tmp_path,
        schema=schema,
        platform="testing",
        environment="local",
        create_marker=True,
    )
    ctx = context(filled)
    assert "notes" not in migrate.STEP.observe(ctx, given).evidence
    with filled.connect() as other:
        pid = other.info.backend_pid
        other.execute("begin")
        other.execute("select count(*) from bets")
        seen = str(migrate.STEP.observe(ctx, given).evidence["notes"])
        assert f"session {pid} (owner" in seen
        assert f"cbctl db kill {pid}" in seen
