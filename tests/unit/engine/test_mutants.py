"""An engine that is broken on purpose is caught by the simulation, and soon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.schedules import SCHEDULES
from tests.unit.engine.world import MemoryStore

from cbctl.engine import carry, ending, lock, past, run
from cbctl.engine.carry import Carrying, Progress
from cbctl.engine.lock import Held
from cbctl.engine.store import LockRecord

SEEDS = range(200)

Mutant = Callable[[pytest.MonkeyPatch], None]


def intent_after_the_effect(patch: pytest.MonkeyPatch) -> None:
    written = Carrying._intend

    def remembered(self: Carrying, p: Progress, effect: past.Effect, changes: Any) -> None:
        p.effect = effect

    def applied(self: Carrying, p: Progress, *arguments: Any) -> None:
        assert p.effect is not None
        written(self, p, p.effect, p.effect.changes)
        before(self, p, *arguments)

    before = Carrying._applied
    patch.setattr(Carrying, "_intend", remembered)
    patch.setattr(Carrying, "_applied", applied)


def resume_with_a_fresh_identity(patch: pytest.MonkeyPatch) -> None:
    whole = past.of

    def of(records: Any) -> past.Past:
        found = whole(records)
        fresh = {id: replace(e, identity=f"{e.identity}'") for id, e in found.effects.items()}
        return replace(found, effects=fresh)

    patch.setattr(past, "of", of)


def effects_without_a_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Held, "fence", lambda self: None)


def records_without_a_token(patch: pytest.MonkeyPatch) -> None:
    def append(
        self: MemoryStore, stream: str, expected: int, token: int | None, line: bytes
    ) -> None:
        held = self.disk.lock
        if held is not None and token is not None:
            self.disk.lock = replace(held, held=True, token=token)
        try:
            checked(self, stream, expected, token, line)
        finally:
            self.disk.lock = held

    checked = MemoryStore.append
    patch.setattr(MemoryStore, "append", append)


def a_lock_that_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    def swap(self: MemoryStore, expected: LockRecord | None, new: LockRecord) -> None:
        compared(self, self.disk.lock, new)

    compared = MemoryStore.swap_lock
    patch.setattr(MemoryStore, "swap_lock", swap)


def a_holder_that_is_not_awaited(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lock, "TIME_TO_LIVE", 0.0)


def a_plan_that_may_be_out_of_date(patch: pytest.MonkeyPatch) -> None:
    def locked(world: Any, job: Any, id: str, reason: str, since: Any, work: Any) -> Any:
        return compared(world, job, id, reason, run.moment(world.store), work)

    compared = run._locked
    patch.setattr(run, "_locked", locked)


def success_without_a_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carry, "require", lambda verdict, id: None)


def steps_left_behind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ending, "_stop_all", lambda carrying: None)


MUTANTS: list[Mutant] = [
    intent_after_the_effect,
    resume_with_a_fresh_identity,
    effects_without_a_fence,
    records_without_a_token,
    a_lock_that_is_not_compared,
    a_holder_that_is_not_awaited,
    a_plan_that_may_be_out_of_date,
    success_without_a_look,
    steps_left_behind,
]


def fault(seed: int) -> str:
    """What is wrong at the end of a schedule; "" when nothing is."""
    try:
        SCHEDULES["crowded"](seed, lambda text: None)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_broken_engine_is_caught(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    with monkeypatch.context() as broken:
        mutant(broken)
        caught = next(((s, f) for s in SEEDS if (f := fault(s))), None)
        assert caught, f"{len(SEEDS)} schedules passed on a broken engine"
        seed, why = caught
        assert fault(seed) == why, "the seed does not replay"
    assert fault(seed) == "", "the engine as it is fails too"
