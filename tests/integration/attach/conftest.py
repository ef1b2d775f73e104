"""A toy run in a session of its own, and commands that watch it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.terminal import PATIENCE, Session
from tests.testbed.waiting import wait_for
from tests.unit.render.support import Tty

from cbctl.engine import journal
from cbctl.local.runlogs import RunLogs
from cbctl.local.state import State
from cbctl.machine import owner_state
from cbctl.stores.files import FileStore

REPOSITORY = Path(__file__).parents[3]
SESSION = Path(__file__).with_name("session.py")
CBCTL = Path(sys.executable).with_name("cbctl")


@dataclass(frozen=True)
class Done:
    exit: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Toy:
    folder: Path
    state: State
    going: list[subprocess.Popen[str]] = field(default_factory=list)
    terminals: list[Session] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "CBCTL_STATE_DIR": str(self.folder / "root"),
            "CBCTL_CONFIG": str(REPOSITORY / "cbctl.yaml"),
            "CBCTL_ENV": "local",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
        }

    @property
    def logs(self) -> RunLogs:
        return RunLogs(self.state)

    @property
    def run(self) -> str:
        return FileStore(self.state.path, owner_state).streams(journal.RUNS)[-1][5:]

    def records(self) -> list[journal.Record]:
        store = FileStore(self.state.path, owner_state)
        return journal.read(store, journal.RUNS + self.run)

    def lines(self) -> str:
        return self.logs.lines(self.run).read_text()

    # -- commands ---------------------------------------------------------------------------

    def session(self, what: str, *more: str) -> list[str]:
        return [sys.executable, str(SESSION), what, str(self.folder), *more]

    def cbctl(self, *arguments: str) -> list[str]:
        return [str(CBCTL), *arguments]

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.going.append(process)
        return process

    def on_a_terminal(self, command: Sequence[str]) -> Session:
        session = Session(command, self.environ, folder=self.folder)
        self.going.append(session.process)  # type: ignore[arg-type]  # of bytes
        self.terminals.append(session)
        return session

    # -- what comes of it -------------------------------------------------------------------

    def open_gate(self, step: str) -> None:
        (self.folder / f"go-{step}").touch()

    def at_gate(self, step: str) -> None:
        """Returns when the run waits there, and has told it."""
        wait_for(
            lambda: f"{step}: at the gate of {step} 1/2\n" in self.lines(),
            PATIENCE,
            f"the gate of {step}",
            passing=(OSError, IndexError),
        )


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in out + err and "defect of cbctl" not in err, err
    assert "\x1b" not in out + err
    return Done(process.returncode, out, err)


def until_line(process: subprocess.Popen[str], text: str) -> str:
    """Reads what is said on stderr up to a line that holds the text."""
    assert process.stderr
    read = ""
    while text not in read:
        line = process.stderr.readline()
        assert line, f"it ended: {read}"
        read += line
    return read


def screen(written: str) -> list[str]:
    """What a person sees in the end on a terminal of 80 columns."""
    tty = Tty()
    tty.feed(written)
    return tty.seen


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    made = Toy(tmp_path, State.open("crypto-bet", "local", root=tmp_path / "root"))
    yield made
    for process in made.going:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
    for terminal in made.terminals:
        if terminal.main >= 0:
            terminal.hang_up()
