"""What is kept of a run beside the face that shows it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
from tests.unit.render.support import CONTROL, NASTY, RUN, event, failure, planning, success

from cbctl.render import record
from cbctl.render.face import Face, face
from cbctl.render.record import Record

FULL = Path("/dev/full")  # every write to it says that the disk is full


class Kept:
    """A face that says nothing to anybody, and what the record beside it made of it."""

    def __init__(self, folder: Path, begin: Callable[[str], tuple[TextIO, TextIO]] | None = None):
        self.folder, self.runs = folder, list[str]()
        self.shown: Face = face("plain", io.StringIO(), {})
        self.told = list[str]()
        self.shown.also(Record(begin or self.begin, self.tell))

    def begin(self, run: str) -> tuple[TextIO, TextIO]:
        self.runs.append(run)
        return (self.folder / f"{run}.ndjson").open("a"), (self.folder / f"{run}.log").open("a")

    def tell(self, text: str) -> None:
        self.told.append(text)
        self.shown.say(text)

    def events(self, run: str = RUN) -> list[dict[str, Any]]:
        lines = (self.folder / f"{run}.ndjson").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def lines(self, run: str = RUN) -> str:
        return (self.folder / f"{run}.log").read_text()


def test_a_run_is_kept_from_its_plan_to_its_last_word(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for one in failure(NASTY):
        kept.shown(one)
    # both are there before anything is closed: the process may be killed
    assert [e["type"] for e in kept.events()] == [e.type for e in failure(NASTY)]
    assert kept.events()[-1]["data"]["exit"] == 5
    lines = kept.lines()
    assert lines.startswith(
        "2026-11-22 (times are UTC)\n"
        "19:33:48 looking at 3 steps\n"
        "19:33:48 plan ready: 2 to do\n"
        f"19:33:48 deploy started: run {RUN}\n"
    )
    assert "\ndeploy failed after " in lines and f"\nrun:     {RUN}\n" in lines
    assert not CONTROL.search(lines)
    kept.shown(event("step.progress", step="api", message="still busy"))
    kept.shown.close()
    assert kept.lines() == lines and kept.told == []


@pytest.mark.parametrize("last", ["refused", "unchanged"])
def test_nothing_is_kept_where_no_run_came_of_it(tmp_path: Path, last: str) -> None:
    kept = Kept(tmp_path)
    for one in planning():
        kept.shown(one)
    kept.shown(event("run.ended", "", result=last, exit=7, changes=[], release=None, error=None))
    kept.shown.close()
    assert list(tmp_path.iterdir()) == [] and kept.told == []


def test_talk_and_reminders_are_in_the_lines(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.shown.say("run 1 did not end; this one takes its place")
    for one in success()[:10]:
        kept.shown(one)
    kept.shown.say("stopping at the next safe point")
    kept.shown.tick()
    assert kept.lines().count("takes its place\n") == 1
    assert kept.lines().endswith(" stopping at the next safe point\n")
    kept.shown.say("the notification was not delivered")
    kept.shown.close()
    assert kept.lines().endswith(" the notification was not delivered\n")
    assert len(kept.events()) == 10


def test_two_runs_of_one_command_have_files_of_their_own(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for one in success():
        kept.shown(one)
    for one in planning():
        kept.shown(one)
    kept.shown(event("run.started", "second", kind="rollback", resumed=False))
    kept.shown.close()
    assert kept.runs == [RUN, "second"]
    assert [e["type"] for e in kept.events()] == [e.type for e in success()]
    assert [e["run"] for e in kept.events("second")] == ["", "", "", "", "", "second"]


@pytest.mark.parametrize("full", ["events", "lines", "both"])
def test_a_full_disk_is_said_once_and_stops_nothing(tmp_path: Path, full: str) -> None:
    def begin(run: str) -> tuple[TextIO, TextIO]:
        events = FULL if full != "lines" else tmp_path / f"{run}.ndjson"
        lines = FULL if full != "events" else tmp_path / f"{run}.log"
        return events.open("a"), lines.open("a")

    kept = Kept(tmp_path, begin)
    for one in failure():
        kept.shown(one)
    kept.shown.close()
    assert kept.told == [
        "the log of this run cannot be written (No space left on device); the run goes on"
    ]
    if full == "lines":
        assert kept.events()[-1]["type"] == "run.ended"
    if full == "events":
        assert "deploy failed after " in kept.lines()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    def begin(run: str) -> tuple[TextIO, TextIO]:
        raise PermissionError(13, "Permission denied")

    kept = Kept(tmp_path, begin)
    for one in failure():
        kept.shown(one)
        kept.shown.tick()
    kept.shown.close()
    assert kept.told == [
        "the log of this run cannot be written (Permission denied); the run goes on"
    ]


def test_progress_is_bounded_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LIMIT", 20_000)
    kept = Kept(tmp_path)
    events = success()
    for one in events[:8]:
        kept.shown(one)
    for number in range(1000):
        kept.shown(event("step.progress", step="program", message="writing", done=number))
    for one in events[8:]:
        kept.shown(one)
    kept.shown.close()
    found = kept.events()
    assert (tmp_path / f"{RUN}.ndjson").stat().st_size < 25_000
    assert 50 < sum(e["type"] == "step.progress" for e in found) < 500
    assert [e["type"] for e in found if e["type"] != "step.progress"] == [
        e.type for e in events if e.type != "step.progress"
    ]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for one in success()[:6]:
        kept.shown(one)

    def talk(name: str) -> None:
        for number in range(200):
            kept.shown(event("step.progress", step=name, message="m" * 200, done=number))

    threads = [threading.Thread(target=talk, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept.shown.close()
    found = [e["data"] for e in kept.events()[6:]]
    for name in (f"t{n}" for n in range(8)):
        assert [d["done"] for d in found if d["step"] == name] == list(range(200))
