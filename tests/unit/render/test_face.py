from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal, TextIO

import pytest
from tests.unit.render.support import event, failure

from cbctl.engine.event import Event
from cbctl.render.face import face, lively


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Timer:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.cancelled = False

    def every(self, seconds: float, work: Callable[[], None]) -> Timer:
        self.seconds, self.work = seconds, work
        return self

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(
    ("mode", "stderr", "environ", "live"),
    [
        ("auto", Tty(), {"TERM": "xterm"}, True),
        ("auto", Tty(), {"TERM": "dumb"}, False),
        ("auto", Tty(), {}, False),
        ("auto", io.StringIO(), {"TERM": "xterm"}, False),
        ("auto", Tty(), {"TERM": "xterm", "GITHUB_ACTIONS": "true"}, False),
        ("plain", Tty(), {"TERM": "xterm"}, False),
    ],
)
def test_a_live_view_only_where_lines_can_be_redrawn(
    mode: str, stderr: io.StringIO, environ: dict[str, str], live: bool
) -> None:
    timer = Timer()
    with face(mode, stderr, environ, every=timer.every) as shown:  # type: ignore[arg-type]
        for one in failure():
            shown(one)
        timer.work()
    assert ("\x1b[J" in stderr.getvalue()) is live
    assert "deploy failed after" in stderr.getvalue()
    assert timer.cancelled and timer.seconds == (0.125 if live else 1.0)


def test_quiet_says_nothing() -> None:
    stderr = io.StringIO()
    shown = face("quiet", stderr, {})
    for one in failure():
        shown(one)
    shown.close()
    assert stderr.getvalue() == ""


def test_events_on_stdout_and_a_live_view_only_when_they_do_not_share_the_terminal() -> None:
    for stdout, live in ((io.StringIO(), True), (Tty(), False)):
        stderr = Tty()
        shown = face("ndjson", stderr, {"TERM": "xterm"}, stdout=stdout)
        for one in failure():
            shown(one)
        assert len(stdout.getvalue().splitlines()) == len(failure())
        assert bool(stderr.getvalue()) is live


@pytest.mark.parametrize("at", [0, 7, -1])
def test_a_defect_of_the_display_is_replaced_by_plain_lines(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Tty()
    shown = face("auto", stderr, {"TERM": "xterm"})
    events = failure()
    for one in events[:at]:
        shown(one)

    def broken(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("cbctl.render.picture.Painter.step", broken)
    for one in events[at:]:
        shown(one)
    shown.close()
    assert "\ndeploy failed after " in stderr.getvalue()


@pytest.mark.parametrize("mode", ["plain", "ndjson"])
def test_the_result_is_the_last_word(mode: Literal["plain", "ndjson"]) -> None:
    stream = io.StringIO()
    shown = face(mode, stream, {}, stdout=stream)
    for one in failure():
        shown(one)
    last = stream.getvalue()
    shown(event("step.progress", step="api", message="still busy"))
    assert stream.getvalue() == last
    shown(event("plan.started", "", steps=["a"]))  # another run by the same command
    assert stream.getvalue() != last
    shown.close()
    last = stream.getvalue()
    shown(event("step.progress", step="api", message="still busy"))
    shown.tick()
    assert stream.getvalue() == last


def test_talk_among_plain_lines() -> None:
    stream = io.StringIO()
    shown = face("plain", stream, {})
    shown.say("stopping at the next safe point\x07")
    shown.tick()
    assert stream.getvalue()[8:] == " stopping at the next safe point\\x07\n"


def test_a_process_without_standard_error() -> None:
    shown = face("auto", None, {"TERM": "xterm"})
    for one in failure():
        shown(one)
    shown.close()


def test_a_stream_without_an_answer_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not lively(stream, {"TERM": "xterm"})


def test_no_drawing_ever_raises() -> None:
    values: list[dict[str, Any]] = [
        {},
        {"step": None},
        {"step": "a", "changes": "x", "done": [], "error": 1},
    ]
    strange = [
        Event(type, "", "", data)
        for type in (
            *("plan.started", "step.observed", "plan.ready", "run.started", "step.started"),
            *("step.progress", "step.done", "step.failed", "step.undone", "lock.waiting"),
            *("run.ended", "unheard.of"),
        )
        for data in values
    ]
    modes: list[Literal["auto", "plain", "ndjson"]] = ["auto", "plain", "ndjson"]
    for mode in modes:
        stream: TextIO = Tty()
        shown = face(mode, stream, {"TERM": "xterm"}, stdout=io.StringIO())
        for one in strange:
            shown(one)
            shown.tick()
        shown.close()


@pytest.mark.parametrize(
    "module", ["face", "lines", "failure", "ndjson", "plan", "values", "terminal"]
)
def test_nothing_heavy_is_imported(module: str) -> None:
    code = (
        f"import sys, cbctl.render.{module}\n"
        "heavy = {'rich', 'yaml', 'msgspec', 'httpx', 'typer', 'http', 'asyncio', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_plain_lines_without_rich_even_on_a_dumb_terminal() -> None:
    code = (
        "import os, sys\n"
        "from cbctl.render.face import face\n"
        "from tests.unit.render.support import event, failure\n"
        "shown = face('auto', sys.stderr, os.environ)\n"
        "[shown(one) for one in failure()]\n"
        "assert 'rich' not in sys.modules\n"
    )
    main, other = pty.openpty()
    environ = {**os.environ, "TERM": "dumb"}
    done = subprocess.run([sys.executable, "-c", code], stderr=other, env=environ, check=False)
    os.close(other)
    os.close(main)
    assert done.returncode == 0
