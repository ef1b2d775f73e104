"""`cbctl` to which something happens: `python rigged_cbctl.py POINT` and a command line.

It is killed with -9 at one point:

    before:TYPE[:STEP]  a record of that type (and step) is about to be written
    torn:TYPE[:STEP]    half of it is on the disk, as a power cut may leave it
    after:TYPE[:STEP]   it is on the disk, and nobody was told
    in:STEP:N           the step is about to make its N-th effect
    look:STEP           the step is about to verify

or goes on, and

    full:TYPE[:STEP]    its disk is full from the moment when such a record is to be written
    clock:SECONDS       its wall clock is wrong by that much
    count:FILE          FILE gets how many effects each step had

TYPE `history` is the release's record. What counts as an effect is in `_EVENTS` and `_SENT`.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg

from cbctl.__main__ import main
from cbctl.clients.solana.transport import Transport
from cbctl.runbook import catalogue
from cbctl.stores.files import FileStore

KIND, _, PLACE = sys.argv.pop(1).partition(":")

_EVENTS = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.kill", "subprocess.Popen"}
_WRITES = os.O_WRONLY | os.O_RDWR
_SENT = {"sendTransaction", "requestAirdrop"}

effects: Counter[str] = Counter()
_counting = threading.Lock()
_here = threading.local()
_full = threading.Event()


def die() -> None:
    _here.step = None  # this is no effect of the step
    os.kill(os.getpid(), signal.SIGKILL)


def fill() -> None:
    """Leaves no room on the disk of the state folder, also where some became free."""
    _full.set()
    disk = Path(os.environ["CBCTL_STATE_DIR"])
    assert shutil.disk_usage(disk).total < 1 << 30, "this is not the small disk of a test"
    try:
        with (disk / "fill").open("ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    except OSError as error:
        assert error.errno == errno.ENOSPC


def effect(step: str) -> None:
    with _counting:
        effects[step] += 1
        if KIND == "in" and f"{step}:{effects[step]}" == PLACE:
            die()


# -- records ----------------------------------------------------------------------------------


class Dying(FileStore):
    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        record = json.loads(line)
        name = "history" if stream.startswith("releases/") else record["type"]
        here = PLACE in (name, f"{name}:{record['data'].get('step')}")
        if here and KIND == "torn":
            with (self._folder / f"{stream}.ndjson").open("ab") as file:
                file.write(line[: len(line) // 2])
        if here and KIND in ("before", "torn"):
            die()
        if KIND == "full" and (here or _full.is_set()):
            fill()
        super().append(stream, expected, token, line)
        if here and KIND == "after":
            die()


# -- effects of steps -------------------------------------------------------------------------


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells of all that is done to files and processes before it is done."""
    step = getattr(_here, "step", None)
    if step is None:
        return
    match event, arguments:
        case "open", (str(path), _, int(flags)) if flags & _WRITES:
            counts = path != os.devnull
        case "os.mkdir", (path, *_):
            counts = not Path(path).exists()
        case _:
            counts = event in _EVENTS
    if counts:
        effect(step)


def watched(step: Any) -> Any:
    apply, verify = step.apply, step.verify

    @wraps(apply)
    def applying(ctx: Any, *arguments: Any) -> Any:
        _here.step = ctx.step
        try:
            return apply(ctx, *arguments)
        finally:
            _here.step = None

    @wraps(verify)
    def looking(ctx: Any, *arguments: Any) -> Any:
        if KIND == "look" and ctx.step == PLACE:
            die()
        return verify(ctx, *arguments)

    step.apply, step.verify = applying, looking
    return step


def arm() -> None:
    find, post, execute = catalogue.step, Transport._post, psycopg.Cursor.execute
    steps: dict[str, Any] = {}

    def step(name: str) -> Any:
        if name not in steps:
            steps[name] = watched(find(name))
        return steps[name]

    def posted(self: Transport, method: str, *arguments: Any) -> Any:
        if method in _SENT:  # also from the threads that send a program's bytes side by side
            effect(getattr(_here, "step", None) or "program")
        return post(self, method, *arguments)

    def executed(self: Any, *arguments: Any, **more: Any) -> Any:
        if name := getattr(_here, "step", None):
            effect(name)
        return execute(self, *arguments, **more)

    sys.addaudithook(heard)
    parts = {
        (catalogue, "step"): step,
        (Transport, "_post"): posted,
        (psycopg.Cursor, "execute"): executed,
        (sys.modules["cbctl.stores.files"], "FileStore"): Dying,
    }
    for (owner, name), part in parts.items():
        setattr(owner, name, part)


if __name__ == "__main__":
    arm()
    if KIND == "clock":
        wall = time.time
        time.time = lambda: wall() + float(PLACE)
    if KIND == "count":
        atexit.register(lambda: Path(PLACE).write_text(json.dumps(effects)))
    main()
