"""Folders for work that is thrown away, and a Postgres for the time of one.

What a killed cbctl left is ended and removed by the next that needs a folder of its own: who lives
holds the lock of its folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local import postgres, processes
from cbctl.local.binaries import Binary, postgres_binaries
from cbctl.local.files import PRIVATE_FILE, PRIVATE_FOLDER, write_atomic
from cbctl.local.logs import last_lines
from cbctl.local.ports import HOST
from cbctl.local.probes import ask
from cbctl.local.spec import Ready
from cbctl.local.state import State

FOLDER = "scratch"
"""Below a state."""
_DATA = "data"
_SECONDS = 60.0
_ASKED_SECONDS = 10.0
_LOOK = 0.05
# Nothing in it is worth a sync: it is thrown away whatever happens.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_wal_size": "1GB",
}


@dataclass(frozen=True)
class Scratch:
    """A private folder; `variables` go to every program that is started for it."""

    state: State
    path: Path

    @property
    def marker(self) -> str:
        return self.state.marker(f"{FOLDER} {self.path.name}")

    @property
    def variables(self) -> dict[str, str]:
        return {processes.MARKER: self.marker}


@contextmanager
def scratch(state: State, name: str, *, goes_on: str = "") -> Iterator[Scratch]:
    """goes_on  file that, once it is there, makes the folder worth being found again by the same
    name: then an interruption leaves it as it is
    """
    root = state.path / FOLDER
    root.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    own = root / (name if goes_on else f"{name}-{secrets.token_hex(4)}")
    for left in sorted(root.iterdir()):
        if left != own or not (own / goes_on).exists():
            _remove_left(state, left)
    own.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    made = Scratch(state, own)
    lock = _lock(own)
    if lock is None:
        raise CbctlError("another cbctl works there", exit=Exit.LOCKED, where=str(own))
    try:
        _end(made)
        yield made
        shutil.rmtree(own)
    except BaseException:
        if not (goes_on and (own / goes_on).exists()):
            shutil.rmtree(own, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _remove_left(state: State, folder: Path) -> None:
    lock = _lock(folder)
    if lock is None:
        return
    try:
        _end(Scratch(state, folder))
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """The lock of the folder itself; None while its owner lives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _end(made: Scratch) -> None:
    """Programs outlive a cbctl that was killed.

    A server that is killed gives its shared memory never back to the system, and its sessions go
    on writing for a moment: it is asked first, and all of it has to be gone.
    """
    began = time.monotonic()
    asked: set[processes.Identity] = set()
    while left := _left(made):
        spent = time.monotonic() - began
        servers = {one for one in left if processes.program_of(one.pid) == "postgres"}
        for one in servers - asked:
            processes.signal_one(one, signal.SIGQUIT)
        asked |= servers
        processes.kill_all(left - servers if spent < _ASKED_SECONDS else left)
        if spent >= _SECONDS:
            pid = min(one.pid for one in left)
            raise CbctlError(
                f"process {pid} of an interrupted run does not end",
                exit=Exit.TIMEOUT,
                where=str(made.path),
                fix=f"end it: kill -9 {pid}",
            )
        time.sleep(_LOOK)


def _left(made: Scratch) -> set[processes.Identity]:
    marked = {found for found, _ in processes.marked(made.marker)}
    return marked.union(processes.working_in(made.path / _DATA, "postgres"))


@contextmanager
def throwaway_server(
    made: Scratch, binary: Binary, pause: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """The URL of a new, empty Postgres on this machine, whose role may do everything: what comes
    from elsewhere gets a role of its own there.

    pause  waits; raises when the run has to stop
    """
    data, log = made.path / _DATA, made.path / "postgres.log"
    # a name that no role of a database can have that is built there
    superuser = f"cbctl_{secrets.token_hex(8)}"
    password, port = secrets.token_urlsafe(24), _free_port()
    file = made.path / ".password"
    write_atomic(file, f"{password}\n".encode(), mode=PRIVATE_FILE, sync=False)
    try:
        postgres.run_program(
            made.state,
            binary.path.with_name("initdb"),
            ["-D", str(data), "-U", superuser, f"--pwfile={file}", *postgres.INITDB],
            marker=made.marker,
        )
    finally:
        file.unlink()
    settings = {**postgres.SETTINGS, **_SETTINGS, "port": str(port)}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    with log.open("wb") as opened:
        process = subprocess.Popen(
            [*postgres.as_user(), str(binary.path), "-D", str(data), *options],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **made.variables},
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=opened,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + _SECONDS
        while ask(Ready("postgres", port), made.state):
            if process.poll() is not None or time.monotonic() >= until:
                raise CbctlError(
                    "the scratch Postgres does not come up",
                    where=str(made.path),
                    evidence={"log": last_lines(log, 8)},
                )
            pause(_LOOK)
        yield postgres.own_url(password, database="postgres", user=superuser, port=port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGQUIT)  # at once: nothing has to be written
        process.wait(_SECONDS)
        _end(made)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def throwaway_like(
    state: State, name: str, major: int, pause: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, int]]:
    """The URL of a throwaway server of that major version, else of the oldest newer one, else of
    the newest there is; and its own major version."""
    here = postgres_binaries()
    if not here:
        raise CbctlError(
            "this machine has no Postgres for a scratch database",
            exit=Exit.REFUSED,
            fix=f"install Postgres {major}, or name a server: --on env:NAME",
        )
    newer = [one for one in here if one.major >= major]
    chosen = (
        min(newer, key=lambda one: one.major) if newer else max(here, key=lambda one: one.major)
    )
    with scratch(state, name) as made, throwaway_server(made, chosen, pause) as url:
        yield url, chosen.major
