"""A run that is shown later looks as it did when it went on."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.unit.render.support import Tty, failure, success
from tests.unit.render.test_terminal import Pipe

from cbctl.engine.event import Event
from cbctl.render.lines import Lines
from cbctl.render.replay import Replay
from cbctl.render.terminal import Terminal


def apart(events: list[Event], seconds: float, ago: float) -> list[Event]:
    """The events one after the other, the last one `ago` seconds before now."""
    last = datetime.now(UTC) - timedelta(seconds=ago)
    count = len(events)
    return [
        replace(e, at=(last - timedelta(seconds=(count - 1 - n) * seconds)).isoformat())
        for n, e in enumerate(events)
    ]


def test_lines_have_the_times_and_spans_of_then() -> None:
    stream, replay = io.StringIO(), Replay()
    face = Lines(stream, {}, now=replay.now, wall=replay.wall)
    events = apart(failure(), 105.0, 5000.0)
    for one in events:
        replay.tell(one, face)
    told = stream.getvalue()
    assert "\ndeploy failed after 15 min" in told  # nine events after it began
    assert f"{events[-3].at[11:19]} api: failed: " in told
    assert "still waiting" not in told  # nobody waits for what is over


def test_a_step_that_goes_on_shows_for_how_long() -> None:
    tty, replay = Tty(), Replay()
    face = Terminal(Pipe(tty), {"TERM": "xterm"}, now=replay.now, size=lambda: (80, 24))
    for one in apart(success()[:9], 1.0, 599.0):
        replay.tell(one, face)
    face.tick()
    (program,) = [line for line in tty.seen if "program" in line]
    assert re.search(r" writing 300/1000 .* 10 min( \d+ s)?$", program), program


def test_a_reminder_comes_as_soon_as_it_goes_on() -> None:
    stream, replay = io.StringIO(), Replay()
    face = Lines(stream, {}, now=replay.now, wall=replay.wall)
    for one in apart(success()[:9], 1.0, 60.0):
        replay.tell(one, face)
    face.tick()
    assert "still waiting for program (writing 300/1000, 1 min" in stream.getvalue()


def test_a_time_that_nobody_can_read_is_now() -> None:
    stream, replay = io.StringIO(), Replay()
    face = Lines(stream, {}, now=replay.now, wall=replay.wall)
    for one in failure():
        replay.tell(replace(one, at="?"), face)
    assert "\ndeploy failed after 0.0 s" in stream.getvalue()
