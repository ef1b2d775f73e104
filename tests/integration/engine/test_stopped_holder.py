"""A holder that stood still for longer than its lease changes nothing when it goes on; and clocks
that are an hour apart change nothing at all."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cbctl.engine import journal
from cbctl.machine import owner_state
from cbctl.report.audit_check import verify
from cbctl.report.audit_copy import copy
from cbctl.stores.files import FileStore

TOY = Path(__file__).with_name("toy.py")
PATIENCE = 60.0
HOUR = 3600
FAST = ("--speed", "30")
"""The time to live of a lease passes in half a second."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(TOY), str(folder), *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out)


def toy(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    with started(folder, *arguments) as process:
        return ended(process)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.01)


POINTS = (
    *("run.started:1", "step.intent:1", "step.intent:3", "c:1", "step.outcome:3"),
    *("step.verified:3", "d:1", "step.verified:4", "release.recorded:1"),
)


@pytest.mark.parametrize(
    ("stop", "hours"),
    [
        *zip(POINTS, itertools.cycle([1, -1]), strict=False),
        *(
            pytest.param(stop, hours, marks=pytest.mark.nightly)
            for stop, hours in zip(POINTS, itertools.cycle([-1, 1]), strict=False)
        ),
    ],
)
def test_a_holder_that_stood_still_changes_nothing_more(
    folder: Path, stop: str, hours: int
) -> None:
    """Whoever's clock is ahead. (It stops where it does one thing only: another thread that was
    stopped between its look at the lock and its change could not know.)"""
    mine, others = str(hours * HOUR), str(-hours * HOUR)
    with started(folder, "deploy", "--stop", stop, "--wall", mine) as holder:
        process = psutil.Process(holder.pid)
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        code, taken = toy(folder, "resume", "--wall", others, *FAST)
        assert (code, taken["result"], taken["release"]) == (0, "succeeded", "r1")
        before = everything(folder)
        holder.send_signal(signal.SIGCONT)
        code, lost = ended(holder)
    assert code == 6
    assert "the lock was lost, so nothing more was changed" in lost["error"]["what"]
    assert "cbctl lock status" in lost["error"]["fix"]
    assert everything(folder) == before
    payments = sorted(p.name.split("-")[0] for p in (folder / "payments").iterdir())
    assert payments == ["a", "b", "c", "d"], "a payment was made twice"


def test_who_stood_still_with_a_plan_in_hand_is_refused(folder: Path) -> None:
    with started(folder, "deploy", "--stop", "planned:1") as planner:
        process = psutil.Process(planner.pid)
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        assert toy(folder, "deploy")[0] == 0
        before = everything(folder)
        planner.send_signal(signal.SIGCONT)
        code, refused = ended(planner)
    assert code == 7
    assert "another run changed things after this plan was made" in refused["error"]["what"]
    after = everything(folder)
    lock = str(folder / "state" / "lock.json")  # it took the lock, looked, and let it go
    assert {k: v for k, v in after.items() if k != lock} == {
        k: v for k, v in before.items() if k != lock
    }


def test_runs_sort_by_their_order_whatever_the_clocks_say(folder: Path) -> None:
    store = FileStore(folder / "state", owner_state)
    expected: list[str] = []
    for number, wall in enumerate([0, HOUR, -HOUR, HOUR, 0, -HOUR]):
        (folder / "a").unlink(missing_ok=True)
        kill = ("--kill", "a:1") if number % 2 else ()
        toy_code = _code(folder, "deploy", "--wall", str(wall), *kill)
        assert toy_code == (-signal.SIGKILL if kill else 0)
        if kill:
            assert _code(folder, "resume", "--wall", str(-wall)) == 0
        new = [s for s in store.streams(journal.RUNS) if s not in expected]
        assert len(new) == 1
        expected += new
    assert store.streams(journal.RUNS) == expected
    assert [journal.read(store, s)[-1].data["result"] for s in expected] == ["succeeded"] * 6
    tokens = [r.token for s in expected for r in journal.read(store, s)]
    assert tokens == sorted(tokens)
    assert verify(copy(store, "test")).findings == ()


def _code(folder: Path, *arguments: str) -> int:
    with started(folder, *arguments) as process:
        process.communicate(timeout=PATIENCE)
        return process.returncode
