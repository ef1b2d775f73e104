"""`db.safeguard` as the engine calls it, on a real Postgres."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.db.conftest import Database
from tests.testbed.context import FakeContext

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.manifest import Proof
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
        proved={},
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


def taken(ctx: FakeContext, inputs: Inputs) -> safeguard.Outcome:
    verdict = planned(ctx, inputs)
    assert isinstance(verdict, Changes), verdict
    intent = STEP.identify(ctx, inputs, verdict.changes)
    return STEP.apply(ctx, inputs, verdict.changes, intent)


def recorded(inputs: Inputs, *taken: safeguard.Outcome) -> Inputs:
    """With the history as it is afterwards."""
    return replace(inputs, proved={one.backup: one.manifest for one in taken})


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
    first = taken(now, inputs)
    id = first.backup
    (one,) = kept(inputs.open(), inputs.proved)
    assert (one.id, one.proof is not None) == (id, True)
    assert isinstance(STEP.verify(now, inputs), Verified)
    assert isinstance(planned(context(database, 23.5), inputs), Changes), "by the file beside it"
    inputs = recorded(inputs, first)
    fresh = planned(context(database, 23.5), inputs)
    assert isinstance(fresh, Nothing)
    assert id in str(fresh)
    later = context(database, 25)
    assert isinstance(STEP.verify(later, inputs), NotVerified)
    verdict = planned(later, inputs)
    assert isinstance(verdict, Changes)
    assert verdict.changes[-1].before == f"{id}, 25 h old"
    second = taken(later, inputs)
    assert second.backup != id
    found = kept(inputs.open(), recorded(inputs, first, second).proved)
    assert [one.proved for one in found] == [True, True]


def test_a_proof_that_somebody_wrote_into_the_place_does_not_count(
    one_database: Database, inputs: Inputs
) -> None:
    now = context(one_database)
    migrated(now, inputs)
    migration(inputs, 2)
    true = taken(now, inputs)
    made = Path(inputs.place) / true.backup
    inputs = recorded(inputs, true)
    assert isinstance(planned(now, inputs), Nothing)
    old = context(one_database, 25)
    forged = Path(inputs.place) / "20260301T000000Z-abcdef"
    shutil.copytree(made, forged)
    found = manifests.read((made / "manifest.json").read_bytes(), "")
    for made_at in ("2099-01-01T00:00:00.000Z", found.made_at):
        like = manifests.to_bytes(
            msgspec.structs.replace(found, id=forged.name, made_at=made_at, files=())
        )
        (forged / "manifest.json").write_bytes(like)
        proof = Proof(at=made_at, who="", host="", server="", manifest=json.loads(like)["digest"])
        (forged / "verified.json").write_bytes(msgspec.json.encode(proof))
        verdict = planned(old, inputs)
        assert isinstance(verdict, Changes)
        assert str(verdict.changes[-1].before).startswith(true.backup)
    told = STEP.observe(old, inputs).evidence["notes"]
    assert forged.name in str(told) and "does not count" in str(told)
    shutil.rmtree(made / "dump")
    assert isinstance(planned(now, inputs), Changes), "of a proved one the files are gone"


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
    (one,) = kept(inputs.open(), inputs.proved)
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
