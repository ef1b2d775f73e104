"""What became of each part of an emergency rollback, and the exit code that says it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cbctl.engine import plan
from cbctl.engine.event import Event
from cbctl.engine.job import Ended
from cbctl.engine.plan import Plan
from cbctl.errors import Exit
from cbctl.wiring import emergency
from cbctl.wiring.emergency import Part, Watched, exit_of

FAILED = Ended("run", "not undone", Exit.NOT_UNDONE)
GOOD = Ended("run", "succeeded", Exit.DONE)
STEPS = {"identity": False, "service": True, "smoke": False}
"""Whether it was planned to change something."""


def heard(*events: tuple[str, str, dict[str, Any]]) -> Watched:
    watched = Watched(steps=dict(STEPS))
    for type, step, data in events:
        watched.hear(Event(type, "now", "run", {"step": step, **data}))
    return watched


def done(step: str, **outcome: Any) -> tuple[str, str, dict[str, Any]]:
    return ("step.done", step, {"outcome": outcome})


def failed(step: str, phase: str) -> tuple[str, str, dict[str, Any]]:
    return ("step.failed", step, {"phase": phase, "error": "why"})


@pytest.mark.parametrize(
    ("events", "ended", "states", "exit"),
    [
        ([done("identity"), done("service"), done("smoke")], GOOD, "back back back", Exit.DONE),
        (
            [done("identity", unchecked=["chain (no answer)"]), done("service"), done("smoke")],
            GOOD,
            "unseen back back",
            Exit.DIFFERS,
        ),
        (
            [done("identity"), done("service"), failed("smoke", "verify")],
            FAILED,
            "back back unseen",
            Exit.DIFFERS,
        ),
        (
            [done("identity"), failed("service", "verify")],
            FAILED,
            "back unseen unseen",
            Exit.DIFFERS,
        ),
        (
            [done("identity"), failed("service", "apply")],
            FAILED,
            "back left unseen",
            Exit.NOT_UNDONE,
        ),
        ([failed("identity", "verify")], FAILED, "unseen left unseen", Exit.NOT_UNDONE),
        ([], Ended("", "refused", Exit.REFUSED), "unseen left unseen", Exit.REFUSED),
        ([], Ended("", "failed", Exit.LOCKED), "unseen left unseen", Exit.LOCKED),
    ],
)
def test_the_exit_code_says_what_was_seen(
    events: list[tuple[str, str, dict[str, Any]]], ended: Ended, states: str, exit: Exit
) -> None:
    parts = heard(*events).parts(ended)
    assert [part.name for part in parts] == list(STEPS)
    assert [part.state for part in parts] == states.split()
    assert exit_of(ended, parts) is exit


def test_a_pause_that_failed_is_a_part_that_is_not_back() -> None:
    parts = [Part("program", "left", "no wallet"), *heard(done("service")).parts(GOOD)]
    assert exit_of(GOOD, parts) is Exit.NOT_UNDONE


def test_another_run_that_came_between_is_met_by_planning_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole job, so that its release is recorded."""
    ends = [Ended("", "refused", Exit.REFUSED), GOOD]
    carried: list[object] = []

    def carry_out(work: Any, job: object, agree: Any) -> Ended:
        carried.append(job)
        return ends.pop(0)

    work = SimpleNamespace(world=None)
    monkeypatch.setattr(emergency, "carry_out", carry_out)
    monkeypatch.setattr(plan, "make", lambda *_, **__: Plan("hash", ()))
    job = SimpleNamespace(nodes=(), planned_from={})
    assert emergency._as_far_as_it_goes(work, job, Watched()) is GOOD  # type: ignore[arg-type]
    assert carried == [job, job]


def test_nothing_to_do_is_done() -> None:
    assert exit_of(Ended("", "unchanged", Exit.DONE), []) is Exit.DONE
