"""A real process is killed, another one goes on: same end state, every payment made once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cbctl.engine import journal, lock, release
from cbctl.machine import SystemClock, owner, owner_state
from cbctl.stores.files import FileStore

TOY = Path(__file__).with_name("toy.py")
END = {"a": "a", "b": "b", "c": "c+a+b", "d": "d+c+a+b"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


def toy(folder: Path, what: str, kill: str = "") -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(TOY), str(folder), what, *(["--kill", kill] if kill else [])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def assert_the_end(folder: Path, ended: dict[str, Any]) -> None:
    assert {id: (folder / id).read_text() for id in END} == END
    payments = sorted(p.name.split("-")[0] for p in (folder / "payments").iterdir())
    assert payments == sorted(END), "a payment was made twice"
    assert {c["step"] for c in ended["changes"]} == set(END)
    store = FileStore(folder / "state", owner_state)
    (run,) = store.streams(journal.RUNS)
    records = journal.read(store, run)
    assert records[-1].type == "run.ended" and records[-1].data["result"] == "succeeded"
    tokens = [r.token for r in records]
    assert tokens == sorted(tokens)
    assert [r.parts for r in release.history(store)] == [END]
    found = store.read_lock()
    assert found is not None and not found.held


def test_unbroken(folder: Path) -> None:
    code, ended = toy(folder, "deploy")
    assert (code, ended["result"], ended["release"]) == (0, "succeeded", "r1")
    assert_the_end(folder, ended)


@pytest.mark.parametrize(
    "kill",
    [
        "run.started:1",
        "step.intent:2",
        "b:1",
        "c:1",
        "step.outcome:3",
        "step.verified:4",
        "release.recorded:1",
        "release.recorded:2",
    ],
)
def test_killed_and_resumed_by_another_process(folder: Path, kill: str) -> None:
    assert toy(folder, "deploy", kill)[0] == -signal.SIGKILL
    code, ended = toy(folder, "resume")
    assert (code, ended["result"], ended["release"]) == (0, "succeeded", "r1")
    assert_the_end(folder, ended)


def test_killed_again_and_again(folder: Path) -> None:
    assert toy(folder, "deploy", "a:1")[0] == -signal.SIGKILL
    for kill in ("run.resumed:1", "step.outcome:1", "c:1", "step.verified:3"):
        assert toy(folder, "resume", kill)[0] == -signal.SIGKILL
    code, ended = toy(folder, "resume")
    assert code == 0
    assert_the_end(folder, ended)


# -- who holds the lock -----------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from cbctl.engine import lock
from cbctl.machine import SystemClock, owner, owner_state
from cbctl.stores.files import FileStore
lock.acquire(FileStore(Path(sys.argv[1]), owner_state), SystemClock(), owner(), "r", "hold")
print("held", flush=True)
time.sleep(60)
"""


def test_the_state_of_an_owner(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder / "state")], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        store = FileStore(folder / "state", owner_state)
        found = store.read_lock()
        assert found is not None
        assert owner_state(found.owner) == "alive"
        holder.send_signal(signal.SIGSTOP)
        _until(lambda: owner_state(found.owner) == "unknown")
        holder.send_signal(signal.SIGCONT)
        _until(lambda: owner_state(found.owner) == "alive")
        holder.kill()
        _until(lambda: owner_state(found.owner) == "dead")  # a zombie, until it is waited for
        holder.wait()
        assert owner_state(found.owner) == "dead"
        begun = time.monotonic()
        held = lock.acquire(store, SystemClock(), owner(), "r", "next")
        assert (held.token, time.monotonic() - begun < 5) == (2, True)
        held.release()
    finally:
        holder.kill()
        holder.communicate()


def _until(holds: Any) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.01)
