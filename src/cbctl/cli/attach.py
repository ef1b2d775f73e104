"""`cbctl runs attach`: a run that goes on somewhere else, as if it went on here."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TextIO

import typer

from cbctl.cli.options import Events, Output
from cbctl.cli.results import print_data
from cbctl.cli.session import mode_of
from cbctl.errors import Exit
from cbctl.local.runlogs import RunLogs
from cbctl.machine import Threads
from cbctl.render.face import face
from cbctl.render.output import Output as Stream
from cbctl.render.replay import Replay
from cbctl.report.attach import Watched, to_watch
from cbctl.wiring.workplace import open_workplace

PAUSE = 0.1
"""Seconds between two looks."""


def attach(
    config: str | None, env: str | None, run: str | None, output: Output, events: Events
) -> None:
    """Shows the run to its end and leaves with its exit code; Ctrl-C only leaves."""
    mode = mode_of(output, events)
    work = open_workplace(config, env)
    id = to_watch(work.store, run, work.env.name)
    replay = Replay()
    shows_on = sys.stderr if mode == "auto" and output is Output.TEXT else sys.stdout
    silent = False
    with (
        closing(Watched(work.store, RunLogs(work.state), id, work.env.name)) as watched,
        closing(_Reader(shows_on)) as reader,
        _asked_to_leave() as leaving,
        face(
            mode, sys.stderr, os.environ, stdout=sys.stdout, now=replay.now, wall=replay.wall
        ) as shown,
    ):
        while True:
            for event in watched.news():
                replay.tell(event, shown)
                last = event
            if watched.over or leaving or reader.gone():
                break
            shown.keep_time(Threads().every)  # what was told so far is the past
            if silent != (watched.state == "unknown"):
                silent = not silent
                shown.say(_process(watched, silent))
            time.sleep(PAUSE)
    if not watched.over:
        _say_how_to_come_back(watched, work.env.name)
        raise typer.Exit(Exit.CANCELLED)
    if output is not Output.TEXT:
        print_data(dict(last.data), output)
    code = last.data.get("exit")
    raise typer.Exit(code if isinstance(code, int) else int(Exit.FAILED))


@contextmanager
def _asked_to_leave() -> Iterator[list[int]]:
    """Empty until Ctrl-C or SIGTERM. No exception: that could come in the middle of a picture."""
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(n, lambda number, frame: asked.append(number)) for n in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _say_how_to_come_back(watched: Watched, environment: str) -> None:
    stderr = Stream(sys.stderr)
    stderr.line(f"detached; the run goes on: cbctl runs attach {watched.run} --env {environment}")
    if watched.holder and watched.state == "alive":
        stderr.line(f"to stop it at its next safe point: kill -INT {watched.holder.pid}")


def _process(watched: Watched, silent: bool) -> str:
    assert watched.holder is not None
    pid, host = watched.holder.pid, watched.holder.host
    if not silent:
        return f"process {pid} works again"
    return (
        f"process {pid} on {host}, which carries out this run, is stopped or not to be seen from "
        f"here; if it was stopped, it goes on with: kill -CONT {pid}"
    )


class _Reader:
    """Whoever reads what is shown: there is no use in watching for nobody."""

    def __init__(self, stream: TextIO) -> None:
        # of its own, because a stream that is broken is led to nowhere
        self._descriptor = os.dup(stream.fileno())
        self._poll = select.poll()
        self._poll.register(self._descriptor, 0)

    def gone(self) -> bool:
        return any(flags & (select.POLLERR | select.POLLHUP) for _, flags in self._poll.poll(0))

    def close(self) -> None:
        os.close(self._descriptor)
