"""A run that is watched: by its events where they are, else by its journal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing

import pytest
from tests.unit.engine.steps import Script
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.engine import journal, lock
from cbctl.engine.event import Event
from cbctl.engine.journal import RUNS
from cbctl.errors import CbctlError, Exit
from cbctl.local.runlogs import RunLogs
from cbctl.local.state import State
from cbctl.render.story import Story
from cbctl.report import retold
from cbctl.report.attach import LOOKS, Watched, to_watch

Watch = Callable[[str], Watched]


@pytest.fixture
def logs(place: Place) -> RunLogs:
    return RunLogs(State.at(place.folder))


@pytest.fixture
def watch(place: Place, logs: RunLogs) -> Iterator[Watch]:
    with ExitStack() as watching:
        yield lambda run: watching.enter_context(closing(Watched(place.store, logs, run, "local")))


def keep(logs: RunLogs, events: Iterable[Event]) -> None:
    """As the command does it that carries out the run."""
    known = list(events)
    run = next(e.run for e in known if e.type == "run.started")
    events_file, lines = logs.begin(run)
    with events_file, lines:
        for e in known:
            data = {"type": e.type, "at": e.at, "run": e.run, "data": dict(e.data)}
            events_file.write(json.dumps(data) + "\n")


def partly(place: Place) -> str:
    """One step is right already, another one is left out."""
    assert place.deploy({"postgres": Script()})
    steps = {"postgres": Script(), "api": Script(), "verify": Script()}
    ended = place.deploy(steps, left_out=["verify"])
    assert ended and ended.result == "succeeded"
    return ended.run


def story(events: Iterable[Event]) -> Story:
    told = Story()
    for one in events:
        told.tell(one, 0.0)
    return told


def _steps(told: Story) -> dict[str, tuple[object, ...]]:
    return {
        id: (s.state, s.error, s.cannot, s.evidence, s.changes if s.state != "waiting" else [])
        for id, s in told.steps.items()
    }


# -- what the journal tells -----------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        stories.succeeded,
        stories.failed,
        lambda place: stories.failed(place, undo=True),
        lambda place: stories.failed(place, undo=True, back=False),
        stories.cancelled,
        stories.waiting,
        stories.resumed,
        stories.deploy_hostile,
        partly,
    ],
    ids=[
        "succeeded",
        "failed",
        "undone",
        "not undone",
        "cancelled",
        "waiting",
        "resumed",
        "hostile",
        "partly",
    ],
)
def test_the_journal_tells_the_same_story(place: Place, write: Callable[[Place], str]) -> None:
    run = write(place)
    then = story(place.events)
    again = story(
        [
            *retold.events(run, journal.read(place.store, RUNS + run)),
            retold.end(place.store, run, "local"),
        ]
    )
    assert again.ended and then.ended
    assert (again.run, again.kind, again.resumed) == (then.run, then.kind, then.resumed)
    assert _steps(again) == _steps(then)
    assert set(again.ended) == set(then.ended)
    for name in ("run", "result", "exit", "changes", "release"):
        assert again.ended[name] == then.ended[name], name
    assert (again.ended["error"] or {}).get("what") == (then.ended["error"] or {}).get("what")


def test_a_run_that_was_cut_off_ends_with_what_goes_on(place: Place) -> None:
    run = stories.interrupted(place)
    told = story(
        [
            *retold.events(run, journal.read(place.store, RUNS + run)),
            retold.end(place.store, run, "local"),
        ]
    )
    assert {id: s.state for id, s in told.steps.items()} == {
        "postgres": "changed",
        "api": "running",
        "verify": "waiting",
    }
    assert told.ended
    assert (told.ended["result"], told.ended["exit"]) == ("interrupted", Exit.NOT_UNDONE)
    error = told.ended["error"]
    assert error["where"] == "api" and error["what"].startswith("its process was gone after ")
    assert error["fix"] == f"cbctl resume {run} --env local"
    assert {c["step"] for c in told.ended["changes"]} == {"postgres", "api"}


def test_a_journal_that_grows_tells_the_same_and_then_more(place: Place) -> None:
    run = stories.resumed(place)
    records = journal.read(place.store, RUNS + run)
    resumed = next(i for i, r in enumerate(records) if r.type == "run.resumed")
    before: list[Event] = []
    for count in range(resumed + 1, len(records) + 1):
        now = retold.events(run, records[:count])
        assert now[: len(before)] == before
        before = now


# -- which run ------------------------------------------------------------------------------


def test_the_run_that_is_meant(place: Place) -> None:
    with pytest.raises(CbctlError, match="there is no run yet") as none:
        to_watch(place.store, None, "local")
    assert (none.value.exit, none.value.fix) == (Exit.USAGE, "cbctl deploy local")
    first, ended = stories.succeeded(place), place.deploy({"postgres": Script()}, value="x")
    assert ended
    second = ended.run
    world = place.machine("ben").world
    lock.acquire(world.store, world.clock, world.owner, lock.NO_RUN, "restart of services")
    broken = place.break_lock("carl", "gone")
    for run in (None, "last"):
        assert to_watch(place.store, run, "local") == second
    assert to_watch(place.store, first, "local") == first
    with pytest.raises(CbctlError, match=f"did you mean {first}") as unknown:
        to_watch(place.store, first[:-1], "local")
    assert unknown.value.exit is Exit.USAGE
    with pytest.raises(CbctlError, match="nothing to watch") as record:
        to_watch(place.store, broken, "local")
    assert record.value.fix == f"cbctl why {broken} --env local"


def test_the_run_that_goes_on_comes_before_a_newer_one(place: Place) -> None:
    first, second = stories.interrupted(place), stories.succeeded(place)
    world = place.machine("ben").world
    held = lock.acquire(world.store, world.clock, world.owner, first, "resume of deploy local")
    assert to_watch(place.store, None, "local") == first
    assert to_watch(place.store, "last", "local") == second
    held.release()
    held = lock.acquire(world.store, world.clock, world.owner, lock.NO_RUN, "restart of services")
    assert to_watch(place.store, None, "local") == second
    held.release()


# -- watching -------------------------------------------------------------------------------


def test_a_run_with_its_events(place: Place, logs: RunLogs, watch: Watch) -> None:
    run = stories.succeeded(place)
    keep(logs, place.events)
    watched = watch(run)
    assert watched.news() == place.events and watched.over


def test_events_that_stopped_half_way_are_ended_by_the_journal(
    place: Place, logs: RunLogs, watch: Watch
) -> None:
    """The disk was full."""
    run = stories.succeeded(place)
    keep(logs, place.events[:8])
    with logs.events(run).open("a") as file:
        file.write('{"type": "step.done", "at"')
    watched = watch(run)
    told = watched.news()
    assert told[:-1] == place.events[:8] and watched.over
    assert told[-1].data == place.events[-1].data


def test_what_is_no_event_is_left_out(place: Place, logs: RunLogs, watch: Watch) -> None:
    run = stories.succeeded(place)
    keep(logs, place.events)
    text = logs.events(run).read_text()
    wrong = '{"type": 1}\n[]\nnull\n\n\x00\n' + "[" * 100_000 + "\n"
    logs.events(run).write_text(wrong + text)
    assert watch(run).news() == place.events


def test_a_run_that_goes_on_is_followed_until_its_holder_is_gone(
    place: Place, logs: RunLogs, watch: Watch
) -> None:
    run = stories.interrupted(place)
    keep(logs, place.events[:6])
    place.dead.clear()
    watched = watch(run)
    assert (watched.news(), watched.over) == (place.events[:6], False)
    assert (getattr(watched.holder, "who", ""), watched.state) == ("anna", "alive")
    with logs.events(run).open("a") as file:
        late = {"type": "step.progress", "at": "2099-01-01T00:00:00.000Z", "run": run}
        file.write(json.dumps({**late, "data": {"step": "api"}}) + "\n")
    assert [e.type for e in watched.news()] == ["step.progress"] and watched.news() == []
    place.dead.add(place.pids)
    (end,) = watched.news()
    assert (watched.over, watched.holder) == (True, None)
    # it was heard of later than its last record says
    assert (end.type, end.at[:4], end.data["result"]) == ("run.ended", "2099", "interrupted")


def test_a_run_that_loses_its_lock_has_the_last_word_itself(
    place: Place, logs: RunLogs, watch: Watch
) -> None:
    run = stories.interrupted(place)
    keep(logs, place.events)
    place.dead.clear()
    watched, silent = watch(run), watch(run)
    assert watched.news() == silent.news() == place.events
    place.break_lock("carl", "the laptop is gone")
    assert (watched.news(), watched.over) == ([], False)
    with logs.events(run).open("a") as file:
        end = {"type": "run.ended", "at": "2099-01-01T00:00:00.000Z", "run": run}
        file.write(json.dumps({**end, "data": {"exit": 6}}) + "\n")
    assert [e.data["exit"] for e in watched.news()] == [6]
    assert watched.over


def test_a_run_that_loses_its_lock_and_is_gone_was_interrupted(
    place: Place, logs: RunLogs, watch: Watch
) -> None:
    run = stories.interrupted(place)
    keep(logs, place.events)
    place.dead.clear()
    watched = watch(run)
    watched.news()
    place.break_lock("carl", "the laptop is gone")
    assert watched.news() == []
    place.dead.add(1)
    (end,) = watched.news()
    assert end.data["exit"] == 5
    assert "taken away by carl: the laptop is gone" in str(end.data["error"])


def test_a_run_that_goes_on_without_events_is_followed_by_its_journal(
    place: Place, logs: RunLogs, watch: Watch
) -> None:
    """Of an older cbctl, or where its events could not be written."""
    run = stories.interrupted(place)
    place.dead.clear()
    watched = watch(run)
    for _ in range(LOOKS - 1):
        assert watched.news() == []  # they may be there in a moment
    assert [e.type for e in watched.news()][-2:] == ["step.done", "step.started"]
    assert (watched.news(), watched.over) == ([], False)
    place.dead.add(place.pids)
    assert [e.type for e in watched.news()] == ["run.ended"] and watched.over


def test_a_resumed_part_is_followed_on(place: Place, logs: RunLogs, watch: Watch) -> None:
    run = stories.interrupted(place)
    keep(logs, place.events)
    place.dead.clear()
    watched = watch(run)
    assert watched.news() == place.events
    place.dead.add(place.pids)
    steps = {"postgres": Script(), "api": Script(), "verify": Script()}
    assert place.resume(steps, release=["postgres"])
    keep(logs, place.events)
    assert watched.news() == place.events and watched.over


def test_a_file_that_cannot_be_read_is_told(place: Place, logs: RunLogs, watch: Watch) -> None:
    run = stories.succeeded(place)
    keep(logs, place.events)
    logs.events(run).unlink()
    logs.events(run).mkdir()
    with pytest.raises(CbctlError, match="Is a directory") as told:
        watch(run).news()
    assert told.value.where == str(logs.events(run))
