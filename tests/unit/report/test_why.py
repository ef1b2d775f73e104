"""Runs explained: as data, and as text for 80 columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.engine.steps import Script
from tests.unit.report import place as stories
from tests.unit.report.place import HOSTILE, Place

from cbctl.cli.why_text import lines
from cbctl.engine.journal import RUNS
from cbctl.errors import CbctlError, Exit
from cbctl.report.why import Why, explain

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]")


def why(place: Place, run: str = "last") -> Why:
    return explain(place.store, run, "local")


def text(place: Place, width: int = 80) -> str:
    return "\n".join(lines(why(place), width))


def states(found: Why) -> dict[str, str]:
    return {s.id: s.state for s in found.steps}


FAILED = """\
deploy of local failed after 6.5 s; 1 change made and not undone, 1 undone

run       20261118T110640-{id}  not undone (exit 5)
started   2026-11-18 11:06:40 UTC by anna on anna-laptop
planned   plan {plan}, runbook one

why       api (verify): it does not answer on port 3000
          | log:
          |   starting
          |   bind: address already in use
          | status: exited

timeline
    00:00.0  started by anna on anna-laptop
    00:00.0  postgres  begins
               + part 0: new
    00:01.5  postgres  verified after 1.5 s
    00:01.5  api  begins
               + part 0: new
    00:01.5  api  done after 0.0 s
    00:06.5  api  failed (verify): it does not answer on port 3000
    00:06.5  what was changed is being undone
    00:06.5  api  undone
    00:06.5  postgres  stays: there is no way back
    00:06.5  ended: not undone (exit 5)

changed   postgres  + part 0: new
undone    api  + part 0: new
stays     postgres: there is no way back

next      see what has the port
then      cbctl resume 20261118T110640-{id} --env local"""

RESUMED = """\
deploy of local succeeded in 6.0 s: 3 changes made

run       20261118T110640-{id}  succeeded (exit 0)
started   2026-11-18 11:06:40 UTC by anna on anna-laptop
resumed   2026-11-18 12:06:43 UTC by ben on ben-laptop, 1 h later
planned   plan {plan}, runbook one
release   r1

timeline
    00:00.0  started by anna on anna-laptop
    00:00.0  postgres  begins
               + part 0: new
    00:01.5  postgres  verified after 1.5 s
    00:01.5  api  begins
               + part 0: new
  -------------------------- nobody ran it for 1 h ---------------------------
  1:00:03.5  resumed by ben on ben-laptop
  1:00:03.5  postgres  verified
  1:00:07.5  api  verified
  1:00:07.5  verify  begins
               + part 0: new
  1:00:08.0  verify  verified after 0.5 s
  1:00:08.0  release r1 recorded
  1:00:08.0  ended: succeeded (exit 0)

changed   postgres  + part 0: new
          api  + part 0: new
          verify  + part 0: new"""


def golden(place: Place, wanted: str) -> None:
    found = why(place)
    filled = wanted.format(id=found.run[-6:], plan=found.planned["plan"][:12])
    assert text(place) == filled


def test_failed_undone_in_part(place: Place) -> None:
    stories.failed(place, undo=True, back=False)
    golden(place, FAILED)
    found = why(place)
    assert states(found) == {"postgres": "stays", "api": "undone", "verify": "not reached"}
    assert found.cause and (found.cause.kind, found.cause.step) == ("failure", "api")
    assert found.cause.evidence["log"] == ["starting", "bind: address already in use"]


def test_interrupted_and_resumed(place: Place) -> None:
    stories.resumed(place)
    golden(place, RESUMED)
    found = why(place)
    assert (found.result, found.cause, found.release, found.next) == ("succeeded", None, "r1", ())
    assert [(p.who, p.how, p.result) for p in found.people] == [
        ("anna", "started", "interrupted"),
        ("ben", "resumed", "succeeded"),
    ]
    times = (found.people[1].gap, found.worked, found.seconds)
    assert times == pytest.approx((3602, 6, 3608), abs=0.1)
    api = next(s for s in found.steps if s.id == "api")
    assert [(s.phase, s.state) for s in api.spans] == [
        ("apply", "cut off"),
        ("apply", "done"),
        ("verify", "done"),
    ]
    assert api.seconds == pytest.approx(4, abs=0.1)


def test_succeeded(place: Place) -> None:
    run = stories.succeeded(place)
    found = why(place, run)
    assert (found.exit, found.seconds, found.kept[0]["step"]) == (0, 4.5, "postgres")
    assert states(found) == {"postgres": "changed", "api": "changed"}
    assert text(place).startswith("deploy of local succeeded in 4.5 s: 2 changes made\n")


def test_what_was_right_already_and_what_was_left_out(place: Place) -> None:
    place.deploy({"a": Script()})
    place.deploy({"a": Script(), "b": Script(), "c": Script()}, left_out=["c"])
    found = why(place)
    assert states(found) == {"a": "right", "b": "changed", "c": "left out"}
    assert found.steps[0].because == "it is there"


def test_interrupted(place: Place) -> None:
    run = stories.interrupted(place)
    found = why(place)
    assert (found.result, found.exit, found.ended) == ("interrupted", None, "")
    assert found.cause and found.cause.kind == "lost"
    assert "step.intent of api" in found.cause.error
    assert states(found) == {"postgres": "changed", "api": "begun", "verify": "not reached"}
    assert found.next == (f"cbctl resume {run} --env local",)
    assert "interrupted after 1.5 s; 1 change made, 1 begun" in text(place)
    assert "begun     api  + part 0: new" in text(place)


def test_running(place: Place) -> None:
    stories.interrupted(place)
    place.dead.clear()  # as it looks while its process lives
    found = why(place)
    assert found.result == "running" and found.cause is None
    assert found.steps[1].spans[-1].state == "going on"
    assert "is going on, for" in text(place)


def test_undone(place: Place) -> None:
    stories.failed(place, undo=True)
    found = why(place)
    assert (found.result, found.kept, len(found.undone)) == ("undone", (), 2)
    assert found.next == ("see what has the port", "cbctl deploy local")
    assert found.steps[1].failed and found.steps[1].state == "undone"


def test_cancelled(place: Place) -> None:
    run = stories.cancelled(place)
    found = why(place)
    assert found.cause and (found.cause.kind, found.cause.error) == ("stopped", "stopped: SIGINT")
    assert found.next == (f"cbctl resume {run} --env local",)


def test_failed_before_any_change(place: Place) -> None:
    def broken(ctx: object, inputs: object) -> None:
        raise CbctlError("cannot be asked")

    place.deploy({"a": Script(say={"identify": broken})})
    found = why(place)
    assert (found.result, found.kept) == ("failed", ())
    assert found.next == ("solve the cause", "cbctl deploy local")
    assert "failed after 0.0 s; nothing was changed" in text(place)


def test_an_earlier_failure_is_told_of_a_run_that_succeeded(place: Place) -> None:
    run = stories.failed(place)
    place.later(60)
    steps = {"postgres": Script(), "api": Script(), "verify": Script()}
    ended = place.resume(steps, id=run)
    assert ended and ended.result == "succeeded"
    found = why(place)
    assert found.cause is None and found.also[0]["step"] == "api"
    assert "earlier   api: it does not answer on port 3000" in text(place)


def test_the_failure_counts_although_the_undoing_was_resumed(place: Place) -> None:
    def broken(ctx: Any, inputs: object) -> None:
        ctx.world.store.dies_before = b'"data":{"cannot":null,"step":"a"}'
        raise CbctlError("b is broken")

    steps = {"a": Script(), "b": Script(say={"verify": broken})}
    assert place.deploy(steps, undo=True) is None
    assert why(place).timeline[-1].what == "undone"
    place.later(60)
    ended = place.resume({"a": Script(), "b": Script()}, undo=True)
    assert ended and ended.result == "undone"
    found = why(place)
    assert found.cause and (found.cause.step, found.cause.error) == ("b", "b is broken")
    assert states(found) == {"a": "undone", "b": "undone"}
    assert [p.result for p in found.people] == ["interrupted", "undone"]


def test_a_lock_that_was_broken(place: Place) -> None:
    run = stories.interrupted(place)
    place.later(60)
    place.break_lock("dora", "she left")
    found = why(place, run)
    assert found.cause and found.cause.kind == "lock"
    assert found.cause.error == "its lock was taken away by dora: she left"
    broken = why(place)
    assert (broken.result, broken.people[0].how) == ("lock broken", "broke the lock")
    assert text(place).startswith("the lock of local was taken from its holder")


def test_a_run_that_is_history(place: Place) -> None:
    old = stories.failed(place)
    place.later(60)
    new = stories.succeeded(place, value="newer")
    found = why(place, old)
    assert found.newer == new
    assert found.next[-1] == f"cbctl why {new} --env local"


def test_a_clock_that_was_set_back_makes_no_negative_time(place: Place) -> None:
    steps = {"a": Script(seconds=1), "b": Script(say={"identify": lambda c, i: place.later(-999)})}
    assert place.deploy(steps)
    found = why(place)
    times = [m.after for m in found.timeline]
    assert times == sorted(times) and found.seconds == pytest.approx(1, abs=0.1)


def test_no_such_run_and_a_broken_chain(place: Place) -> None:
    with pytest.raises(CbctlError) as told:
        why(place)
    assert told.value.exit is Exit.USAGE
    run = stories.succeeded(place)
    with pytest.raises(CbctlError) as told:
        why(place, run + "x")
    assert told.value.exit is Exit.USAGE and run in told.value.what
    place.write(RUNS + run, place.lines(RUNS + run)[1:])
    with pytest.raises(CbctlError) as told:
        why(place)
    assert told.value.exit is Exit.DIFFERS


STORIES: list[Callable[[Place], object]] = [
    stories.succeeded,
    stories.resumed,
    stories.cancelled,
    lambda place: stories.failed(place, undo=True, back=False, error=HOSTILE * 5),
    lambda place: stories.deploy_hostile(place),
]


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("story", STORIES)
def test_every_line_fits_and_none_steers_the_terminal(
    place: Place, story: Callable[[Place], object], width: int
) -> None:
    story(place)
    for line in lines(why(place), width):
        assert not CONTROL.search(line), line
        if width >= 80:
            assert len(line) <= width, line
