"""`db.safeguard` as the engine calls it, on a real Postgres."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.db.conftest import Database
from tests.testbed.context import FakeContext

from cbctl.clients.backups.place import kept
from cbctl.config.types import Reference
from cbctl.engine.canonical import plain
from cbctl.engine.step import Changes, Nothing, NotVerified, Verified
from cbctl.errors import CbctlError
from cbctl.local.state import State
from cbctl.steps.db import migrate, safeguard
from cbctl.steps.db._proof import on_own_server
from cbctl.steps.db.safeguard import STEP, Inputs

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


@dataclass
class Later(FakeContext):
    hours: float = 0.0

    def wall(self) -> float:
        return time.time() + self.hours * 3600


def context(database: Database, hours: float = 0.0) -> Later:
    return Later({"database-url": database.url}, run=f"r{int(hours)}", hours=hours)


def migration(inputs: Inputs, number: int, phase: str = "pre") -> None:
    text = f"-- cbctl: phase={phase}\ncreate table t{number} (id int);"
    (inputs.folder / f"{number:04d}_t.up.sql").write_text(text)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    folder = tmp_path / "migrations"
    folder.mkdir()
    made = Inputs(
        url=Reference(kind="state", name="database-url"),
        platform="testing",
        environment="staging",
        who="somebody",
        host="here",
        place=str(tmp_path / "backups"),
        state=State.open("testing", "staging", root=tmp_path / "state").path,
        folder=folder,
        configured=True,
    )
    migration(made, 1)
    return made


def migrated(ctx: FakeContext, inputs: Inputs) -> None:
    schema = inputs.folder.parent / "schema.json"
    schema.write_text(json.dumps({"min": 0, "max": 9}))
    given = migrate.Inputs(
        url=inputs.url,
        folder=inputs.folder,
        schema=schema,
        platform=inputs.platform,
        environment=inputs.environment,
        create_marker=True,
    )
    verdict = migrate.STEP.plan(given, migrate.STEP.observe(ctx, given).facts)
    assert isinstance(verdict, Changes)
    intent = migrate.STEP.identify(ctx, given, verdict.changes)
    migrate.STEP.apply(ctx, given, verdict.changes, intent)


def planned(ctx: FakeContext, inputs: Inputs) -> Any:
    facts = STEP.observe(ctx, inputs).facts
    json.dumps(plain(facts))
    return STEP.plan(inputs, facts)


def taken(ctx: FakeContext, inputs: Inputs) -> str:
    verdict = planned(ctx, inputs)
    assert isinstance(verdict, Changes), verdict
    intent = STEP.identify(ctx, inputs, verdict.changes)
    return STEP.apply(ctx, inputs, verdict.changes, intent).backup


def test_only_before_migrations_and_when_the_last_one_is_too_old(
    database: Database, inputs: Inputs
) -> None:
    now = context(database)
    assert planned(now, inputs) == Nothing("no backup is taken: nothing is in the database yet")
    migrated(now, inputs)
    assert planned(now, inputs) == Nothing("no backup is taken: no migration is due")
    migration(inputs, 2, "post")
    assert planned(now, inputs) == Nothing("no backup is taken: no migration is due")
    migration(inputs, 3)
    id = taken(now, inputs)
    (one,) = kept(inputs.open())
    assert (one.id, one.proof is not None) == (id, True)
    assert isinstance(STEP.verify(now, inputs), Verified)
    fresh = planned(context(database, 23.5), inputs)
    assert isinstance(fresh, Nothing)
    assert id in str(fresh)
    later = context(database, 25)
    assert isinstance(STEP.verify(later, inputs), NotVerified)
    verdict = planned(later, inputs)
    assert isinstance(verdict, Changes)
    assert verdict.changes[-1].before == f"{id}, 25 h old"
    assert taken(later, inputs) != id
    assert [one.proof is not None for one in kept(inputs.open())] == [True, True]


def test_one_that_cannot_be_proved_stops_the_deploy(
    one_database: Database, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = context(one_database)
    migrated(now, inputs)
    migration(inputs, 2)

    def damaged(*given: Any) -> Any:
        (dump,) = Path(inputs.place).rglob("toc.dat")
        dump.write_bytes(dump.read_bytes()[:-1])
        return on_own_server(*given)

    monkeypatch.setattr(safeguard, "on_own_server", damaged)
    with pytest.raises(CbctlError, match="is not what its manifest says"):
        taken(now, inputs)
    (one,) = kept(inputs.open())
    assert one.proof is None
    assert isinstance(planned(now, inputs), Changes), "the next deploy takes another one"


def test_what_is_encrypted_is_taken_and_not_proved(one_database: Database, inputs: Inputs) -> None:
    sealed = replace(inputs, recipient=AGE)
    now = context(one_database)
    migrated(now, sealed)
    migration(sealed, 2)
    verdict = planned(now, sealed)
    assert isinstance(verdict, Changes)
    assert verdict.changes[-1].after == "taken; encrypted, so not proved"
    taken(now, sealed)
    assert isinstance(STEP.verify(now, sealed), Verified)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"hours": 0}, "database.backups.before_migrations is 0"),
        ({"configured": False}, "database.backups.to does not say where it would be kept"),
    ],
)
def test_where_none_is_taken_the_plan_says_so(
    inputs: Inputs, change: dict[str, Any], why: str
) -> None:
    nobody = FakeContext()  # nothing is asked
    assert planned(nobody, replace(inputs, **change)) == Nothing(f"no backup is taken: {why}")
