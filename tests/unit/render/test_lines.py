from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.unit.render.support import (
    CONTROL,
    NASTY,
    RUN,
    Clock,
    event,
    failure,
    success,
    waiting,
)

from cbctl.engine.event import Event
from cbctl.render.lines import Lines


def told(
    events: Iterable[Event], environ: Mapping[str, str] | None = None, step: float = 0.0
) -> str:
    stream, clock = io.StringIO(), Clock()
    face = Lines(stream, environ or {}, now=clock.now, wall=clock.wall)
    for one in events:
        face(one)
        clock.at += step
    face.close()
    return stream.getvalue()


def test_a_run_that_succeeds() -> None:
    assert told(success(), step=1.0) == (
        "19:33:48 looking at 3 steps\n"
        "19:33:48 plan ready: 2 to do\n"
        "19:33:48 deploy started: run 20261122T193348-9f3a1c\n"
        "19:33:48 postgres: already right in 0.2 s\n"
        "19:33:48 program: started: Uploads the program\n"
        "19:33:48 program: writing 300/1000\n"
        "19:33:48 program: done in 12 s: "
        "~ program bytes: 3f9a3f9a3f9a3f9a3…3f9a3f9a → 77b077b077b077b07…77b077b0; "
        "+ authority: 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbr\n"
        "19:33:48 api: started: Starts the API\n"
        "19:33:48 api: done in 1 min 5 s: + process: cbapi\n"
        "\n"
        "deploy succeeded in 8.0 s: 3 changes in 2 steps, 1 step already right\n"
        "release: 7\n"
        "run:     20261122T193348-9f3a1c\n"
    )


def test_a_run_that_fails_says_why_and_what_next() -> None:
    shown = told(failure(), step=1.0).split("\n\n")
    assert shown[0].splitlines()[-2:] == [
        "19:33:48 api: failed: the API did not answer within 120 s",
        "19:33:48 program: not undone: the old bytes are gone",
    ]
    assert shown[1] == (
        "deploy failed after 9.0 s; 2 changes made and not undone\n"
        "why:     api: the API did not answer within 120 s\n"
        "         | status: exited 1\n"
        "         | log:\n"
        "         |   panic: no table\n"
        "         |   \\x1b]0;owned\\x07\\x1b[2Jred\n"
        "         |   next\\x9b31m\\u202e\n"
        "changed: program  "
        "~ program bytes: 3f9a3f9a3f9a3f9a3f9a3f9…f9a3f9a3f9a → "
        "77b077b077b077b077b077b…7b077b077b0\n"
        "         program  + authority: 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbr\n"
        "stays:   program: the old bytes are gone\n"
        f"next:    cbctl logs api; cbctl resume {RUN} goes on from there\n"
        f"run:     {RUN}\n"
    )


def test_no_control_byte_whatever_the_events_carry() -> None:
    hostile = [
        event("lock.waiting", holder=NASTY),
        event("run.started", kind=NASTY, resumed=True),
        *failure(NASTY),
        event("step.progress", step=NASTY, message=NASTY),
        event("step.undone", step="x", cannot=NASTY),
        event("something.new", step=NASTY, more=NASTY),
    ]
    for environ in ({}, {"GITHUB_ACTIONS": "true"}):
        assert not CONTROL.search(told(hostile, environ))


def test_a_reminder_every_thirty_seconds_of_what_is_waited_for() -> None:
    stream, clock = io.StringIO(), Clock()
    face = Lines(stream, {}, now=clock.now, wall=clock.wall)
    for one in failure()[:10]:
        face(one)
    before = len(stream.getvalue().splitlines())
    for _ in range(95):
        clock.at += 1
        face.tick()
    assert stream.getvalue().splitlines()[before:] == [
        "11:23:50 still waiting for program (writing 900/1000, 30 s)",
        "11:24:20 still waiting for program (writing 900/1000, 1 min)",
        "11:24:50 still waiting for program (writing 900/1000, 1 min 30 s)",
    ]


def test_a_reminder_names_the_lock_and_the_steps_still_looked_at() -> None:
    stream, clock = io.StringIO(), Clock()
    face = Lines(stream, {}, now=clock.now, wall=clock.wall)
    for one in failure()[:2]:
        face(one)
    clock.at += 31
    face.tick()
    assert stream.getvalue().endswith("still waiting for program, api\n")
    for _ in range(3):
        face(event("lock.waiting", holder="anna on build-1"))
    assert stream.getvalue().count("waiting for the lock, held by anna on build-1") == 1
    clock.at += 31
    face.tick()
    assert stream.getvalue().endswith("still waiting for the lock, held by anna on build-1\n")


def test_chatty_progress_is_thinned_out() -> None:
    talk = [event("step.progress", step="api", message=f"slot {n}") for n in range(100)]
    assert len(told([event("run.started", kind="deploy", resumed=False), *talk]).splitlines()) == 2
    slow = told([event("run.started", kind="deploy", resumed=False), *talk], step=1.0)
    assert len(slow.splitlines()) == 51


def test_only_checked() -> None:
    events = [
        event("plan.started", "", steps=["a"]),
        event("plan.ready", "", hash="0", changes=0),
        event("step.done", "", step="a", changed=False, changes=[], outcome=None),
        event("run.ended", "", result="unchanged", exit=0, changes=[], release="7", error=None),
    ]
    assert told(events, step=1.0) == (
        "19:33:48 looking at 1 step\n"
        "19:33:48 plan ready: nothing to do\n"
        "19:33:48 a: already right\n"
        "\n"
        "nothing to do: 1 step checked in 3.0 s\n"
        "release: 7\n"
    )


def test_why_nothing_was_to_be_done_where_one_step_is_all() -> None:
    seen = event("step.observed", "", step="a", verdict="nothing", because="it is paused")
    events = [
        event("plan.started", "", steps=["a"]),
        seen,
        event("plan.ready", "", hash="0", changes=0),
        event("step.done", "", step="a", changed=False, changes=[], outcome=None),
        event("run.ended", "", result="unchanged", exit=0, changes=[], release=None, error=None),
    ]
    assert "\nnothing to do: it is paused\n" in told(events)


def test_a_plan_that_is_blocked_promises_nothing() -> None:
    events = [
        event("plan.started", "", steps=["a"]),
        event("step.observed", "", step="a", verdict="blocked", because="no money", fix="pay"),
        event("plan.ready", "", hash="0", changes=1),
    ]
    assert told(events).endswith("plan ready: 1 blocked\n")


def test_github_groups_annotation_and_job_summary(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    lines = told(failure("a|b <script>\n::set-env name=x::y"), environ).splitlines()
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert commands == [
        "::group::plan",
        "::endgroup::",
        f"::group::deploy {RUN}",
        "::endgroup::",
        "::error title=deploy%3A api::a|b <script>%0A::set-env name=x::y",
    ]
    written = summary.read_text()
    assert written.startswith("before\n### deploy failed after 0.0 s; 2 changes made")
    assert "- **why**: api: a\\|b \\<script\\> ::set-env name=x::y\n" in written
    assert "\n        panic: no table\n" in written
    assert "\n| program | not undone | 12 s |\n" in written
    assert not CONTROL.search(written)


def test_a_run_that_waits_for_somebody_else(tmp_path: Path) -> None:
    talk, end = told(waiting(), step=1.0).split("\n\n")
    assert talk.splitlines()[-1] == "19:33:48 program: waiting for 2 signatures"
    rows = end.splitlines()
    assert rows[0] == "deploy waits, after 4.0 s; 2 changes made or begun stay"
    assert rows[1] == "why:     program: waiting for 2 signatures"
    assert f"next:    sign it; cbctl resume {RUN} goes on from there" in rows
    summary = tmp_path / "summary.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    notice = "::notice title=deploy%3A program::waiting for 2 signatures\n"
    assert notice in told(waiting(), environ)
    assert "\n| program | waits | 0.0 s |\n" in summary.read_text()
    assert "| api | waiting |" in summary.read_text()


def test_a_job_summary_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)}
    assert "the job summary could not be written\n" in told(success(), environ)


def test_a_broken_pipe_ends_the_talk_not_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        face = Lines(broken, {})
        for one in failure():
            face(one)
        face.tick()
        face.close()
    closed = io.StringIO()
    closed.close()
    Lines(closed, {})(success()[0])


def test_lines_of_several_threads_stay_whole() -> None:
    stream = io.StringIO()
    face = Lines(stream, {})
    face(event("run.started", kind="deploy", resumed=False))

    def talk(name: str) -> None:
        for _ in range(200):
            face(event("step.started", step=name, phase="apply", summary="s" * 50, changes=[]))

    threads = [threading.Thread(target=talk, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()[1:]
    assert len(lines) == 1600
    assert {line[9:] for line in lines} == {f"t{n}: started: {'s' * 50}" for n in range(8)}
