"""The live view, seen through a small terminal and through real pseudo-terminals."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from tests.testbed.terminal import Session
from tests.unit.render.support import NASTY, Clock, Tty, event, failure, success, waiting

from cbctl.engine.event import Event
from cbctl.render.terminal import Terminal

XTERM = {"TERM": "xterm-256color"}


class Pipe(io.StringIO):
    """Feeds what is written to a made-up terminal."""

    def __init__(self, tty: Tty) -> None:
        super().__init__()
        self.tty = tty

    def write(self, text: str) -> int:
        self.tty.feed(text.replace("\n", "\r\n"))  # as the tty driver does
        return len(text)


def played(
    tty: Tty, events: Iterable[Event], environ: Mapping[str, str] = XTERM, step: float = 1.0
) -> Terminal:
    clock = Clock()
    face = Terminal(Pipe(tty), environ, now=clock.now, size=lambda: (tty.columns, tty.rows))
    for one in events:
        face(one)
        clock.at += step
        face.tick()
    return face


def test_the_end_of_a_run_that_succeeds() -> None:
    tty = Tty()
    played(tty, success())
    assert tty.seen == [
        " = postgres  already right                                                0.2 s",
        " ✓ program   ~ program bytes: 3f9a3f9a3…3f9a → 77b077b07…77b0, and 1 more  12 s",
        " ✓ api       + process: cbapi                                         1 min 5 s",
        "",
        "deploy succeeded in 8.0 s: 3 changes in 2 steps, 1 step already right",
        "release  7",
        "run      20261122T193348-9f3a1c",
    ]


def test_the_end_of_a_run_that_fails() -> None:
    tty = Tty()
    played(tty, failure())
    at = tty.seen.index("deploy failed after 9.0 s; 2 changes made and not undone")
    assert tty.seen[at - 4 :] == [
        " = postgres  already right                                                0.2 s",
        " ! program   not undone: the old bytes are gone                            12 s",
        " ✗ api       the API did not answer within 120 s                          1.0 s",
        "",
        "deploy failed after 9.0 s; 2 changes made and not undone",
        "why      api: the API did not answer within 120 s",
        "         | status: exited 1",
        "         | log:",
        "         |   panic: no table",
        "         |   \\x1b]0;owned\\x07\\x1b[2Jred",
        "         |   next\\x9b31m\\u202e",
        "changed  program  ~ program bytes: 3f9a3f9a3f9a…9a3f9a → 77b077b077b0…b077b0",
        "         program  + authority: 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbr",
        "stays    program: the old bytes are gone",
        "next     cbctl logs api; cbctl resume 20261122T193348-9f3a1c goes on from there",
        "run      20261122T193348-9f3a1c",
    ]


def test_the_end_of_a_run_that_waits_for_somebody_else() -> None:
    tty = Tty()
    played(tty, waiting())
    at = tty.seen.index("deploy waits, after 4.0 s; 2 changes made or begun stay")
    assert [line.rstrip() for line in tty.seen[at - 4 : at]] == [
        " = postgres  already right                                                0.2 s",
        " … program   waiting for 2 signatures                                     1.0 s",
        " · api       waiting",
        "",
    ]


def test_a_long_log_line_is_wrapped_and_not_lost() -> None:
    tty = Tty(columns=60)
    last = failure()
    last[-3] = event(
        "step.failed",
        step="api",
        error=last[-3].data["error"],
        evidence={"log": "panic: " + "word " * 15, "endless": "x" * 5000},
    )
    played(tty, last)
    at = tty.seen.index("why      api: the API did not answer within 120 s")
    assert tty.seen[at + 1 : at + 6] == [
        "         | log: panic: word word word word word word word",
        "         | word word word word word word word word",
        "         | endless:",
        "         | " + "x" * 48,
        "         | " + "x" * 36 + "…",
    ]


def test_while_it_runs_a_line_shows_progress_bar_and_time() -> None:
    tty = Tty()
    played(tty, success()[:10])
    assert tty.seen[1][3:] == "program   writing 900/1000" + " " * 28 + "━━━━━━━━━━━━━━┄┄ 3.0 s"
    assert tty.seen[2] == " · api       waiting"


def test_after_the_plan_the_view_is_gone_so_that_a_question_can_be_asked() -> None:
    tty = Tty()
    played(tty, success()[:5])
    assert tty.seen == []


def test_what_stood_on_the_terminal_before_is_never_lost() -> None:
    steps = [f"step-{n}" for n in range(60)]
    many = [
        event("plan.started", "", steps=steps),
        event("run.started", kind="deploy", resumed=False),
        *(event("step.started", step=s, phase="apply", summary="x", changes=[]) for s in steps),
        *(event("step.done", step=s, changed=True, changes=[], seconds=1.0) for s in steps),
        event("run.ended", result="succeeded", exit=0, changes=[], release=None, error=None),
    ]
    for rows in (2, 5, 24):
        tty = Tty(rows=rows)
        before = [f"$ line {n}" for n in range(30)]
        tty.feed("".join(line + "\r\n" for line in before))
        played(tty, many)
        assert tty.seen[:30] == before
        assert sum("step-" in line for line in tty.seen) >= 60
        if rows >= 5:
            assert len(tty.seen) == 30 + 60 + 3


def test_more_steps_than_rows_shows_those_that_matter() -> None:
    steps = [f"step-{n}" for n in range(60)]
    tty = Tty(rows=10)
    played(
        tty,
        [
            event("plan.started", "", steps=steps),
            event("run.started", kind="deploy", resumed=False),
            event("step.started", step="step-50", phase="apply", summary="sails", changes=[]),
        ],
    )
    assert len(tty.seen) == 8 and tty.scrolled == []
    assert "step-50  sails" in tty.seen[6]
    assert tty.seen[7] == "  and 53 more steps, 0 of them done"


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    wide = "日本語の長い名前" * 10
    tty = Tty(columns=columns, rows=50)
    events = [
        event("step.progress", step=wide, message=wide * 3, done=1, total=3),
        event("lock.waiting", holder=wide),
        *failure(wide),
    ]
    # Every picture is as many rows as lines, or going up would miss; two cells a character.
    clock = Clock()
    stream = io.StringIO()
    face = Terminal(stream, XTERM, now=clock.now, size=lambda: (columns, 50))
    from rich.cells import cell_len
    from rich.text import Text

    for one in events:
        face(one)
    for line in stream.getvalue().splitlines():
        plain = Text.from_ansi(line.replace("\x1b[K", "").replace("\x1b[J", "")).plain
        assert cell_len(plain) < columns
    tty.feed(stream.getvalue())


def test_text_from_outside_does_not_steer_the_terminal() -> None:
    tty = Tty()
    hostile = [
        event("plan.started", "", steps=[NASTY]),
        event("step.observed", "", step=NASTY, verdict="blocked", because=NASTY),
        event("lock.waiting", holder=NASTY),
        event("run.started", kind=NASTY, resumed=False),
        event("step.progress", step=NASTY, message=NASTY, done=1, total=0),
        event("step.done", step=NASTY, changed=True, changes=[{"what": NASTY, "after": NASTY}]),
        *failure(NASTY),
    ]
    played(tty, hostile)  # the made-up terminal refuses every sequence that is not ours


def test_no_color_leaves_no_colour_but_moves_all_the_same() -> None:
    tty = Tty(colours=False)
    played(tty, failure(), {**XTERM, "NO_COLOR": "1"})
    assert "✗ api" in "\n".join(tty.seen)
    with pytest.raises(AssertionError):
        played(Tty(colours=False), failure())


def test_a_terminal_that_hung_up_gets_plain_lines() -> None:
    stream = io.StringIO()
    face = Terminal(stream, XTERM, size=lambda: (80, 24))
    events = failure()
    for one in events[:8]:
        face(one)
    face.hangup()
    at = stream.tell()
    for one in events[8:]:
        face(one)
        face.tick()
    face.close()
    rest = stream.getvalue()[at:]
    assert "\x1b" not in rest
    assert "19:33:48 api: failed: the API did not answer within 120 s\n" in rest
    assert "\ndeploy failed after " in rest


def test_close_leaves_the_last_picture_for_what_is_written_next() -> None:
    tty = Tty()
    face = played(tty, success()[:10])
    face.close()
    face.tick()
    tty.feed("error: x\r\n")
    assert tty.seen[-1] == "error: x" and len(tty.seen) == 4


def test_talk_comes_above_the_picture_and_stays() -> None:
    tty = Tty()
    face = played(tty, success()[:10])
    face.say("stopping at the next safe point\x1b[2J")
    face.tick()
    face.tick()
    assert tty.seen[0] == "stopping at the next safe point\\x1b[2J"
    assert [line[3:10] for line in tty.seen[1:]] == ["postgre", "program", "api    "]
    face.close()
    face.say("bye")
    face.tick()
    assert tty.seen[-1] == "bye" and len(tty.seen) == 5


# -- real pseudo-terminals --------------------------------------------------------------------

PROGRAM = """
import os, signal, sys, time
from cbctl.machine import Threads
from cbctl.render.face import face
from cbctl.render.output import Output
from cbctl.render.values import text
from tests.unit.render.support import failure
with face("auto", sys.stderr, os.environ, every=Threads().every) as shown:
    signal.signal(signal.SIGHUP, lambda *_: shown.hangup())
    for one in failure():
        shown(one)
        time.sleep(float(sys.argv[1]))
Output(sys.stdout).write(text("result", "text"))
with open(sys.argv[2], "w") as file:
    file.write("went on to the end")
"""


def on_a_terminal(proof: Path, pause: float, columns: int = 80, **environ: str) -> Session:
    command = [sys.executable, "-c", PROGRAM, str(pause), str(proof)]
    return Session(command, {**os.environ, "GITHUB_ACTIONS": "", **environ}, columns=columns)


def test_on_a_real_terminal(tmp_path: Path) -> None:
    session = on_a_terminal(tmp_path / "proof", 0.2)
    written = session.read()
    assert session.wait() == 0
    tty = Tty()
    tty.feed(written)
    assert tty.seen[-2].startswith("run  ") and tty.seen[-1] == "result"
    assert any(line.startswith("deploy failed after") for line in tty.seen)
    assert sum("postgres" in line for line in tty.seen) == 1
    frames = [frame for frame in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if frame in written]
    assert len(frames) > 2  # the clockwork of the face turns the spinner
    assert "\x1b[32m" in written


def test_no_color_on_a_real_terminal(tmp_path: Path) -> None:
    session = on_a_terminal(tmp_path / "proof", 0.0, NO_COLOR="1")
    tty = Tty(colours=False)
    tty.feed(session.read())
    assert session.wait() == 0 and tty.seen[-1] == "result"


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    session = on_a_terminal(tmp_path / "proof", 0.0, TERM="dumb")
    written = session.read()
    assert session.wait() == 0
    assert "\x1b" not in written and "19:33:48 api: failed:" in written


def test_a_terminal_that_is_resized_while_it_runs(tmp_path: Path) -> None:
    session = on_a_terminal(tmp_path / "proof", 0.2, columns=120)
    session.read("writing ")
    session.resize(40, 10)
    session.process.send_signal(signal.SIGWINCH)
    rest = session.read()
    assert session.wait() == 0
    # pictures made after the change fit the new width
    tty = Tty(columns=40)
    last = rest[rest.rindex("\x1b[J\r") :]
    tty.feed(last)
    assert max(map(len, tty.seen)) < 40 and "result" in tty.seen[-1]


def test_a_terminal_that_dies_does_not_stop_the_run(tmp_path: Path) -> None:
    session = on_a_terminal(tmp_path / "proof", 0.1)
    session.read("writing ")
    assert session.process.poll() is None
    session.hang_up()
    assert session.wait() == 0
    assert (tmp_path / "proof").read_text() == "went on to the end"
