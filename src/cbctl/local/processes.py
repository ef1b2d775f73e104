"""Processes that are known beyond doubt: boot id + pid + start time, and a run marker.

A pid alone is never trusted: it is used again. Linux is read from /proc; elsewhere psutil is asked.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cbctl.errors import CbctlError, Exit

MARKER = "CBCTL_RUN_MARKER"  # whose process: one value per state folder and service
SPEC = "CBCTL_RUN_SPEC"  # from what it was started: spec hash and generation
_PROC = Path("/proc")
LINUX = (_PROC / "self" / "stat").exists()


@dataclass(frozen=True)
class Identity:
    """start: clock ticks since boot (Linux), microseconds since 1970 elsewhere."""

    boot: str
    pid: int
    start: int

    def as_json(self) -> dict[str, Any]:
        return {"boot": self.boot, "pid": self.pid, "start": self.start}

    @classmethod
    def of_json(cls, value: Any) -> Identity | None:
        match value:
            case {"boot": str(boot), "pid": int(pid), "start": int(start)}:
                return cls(boot, pid, start)
        return None


@cache
def boot_id() -> str:
    if LINUX:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return str(int(psutil.boot_time()))


def identify(pid: int) -> Identity | None:
    """None when no such process runs; a zombie does not run."""
    found = _stat(pid)
    return None if found is None or found[0] == "Z" else Identity(boot_id(), pid, found[2])


def alive(identity: Identity | None) -> bool:
    return identity is not None and identify(identity.pid) == identity


def session_members(leader: Identity) -> list[Identity]:
    """Running processes of the session that `leader` made, itself included.

    The kernel gives a session's number to no new process while a member lives. So members of a
    session whose leader is gone are the old ones, and a *new* process under the leader's pid means
    that the old session is empty.
    """
    if leader.boot != boot_id():
        return []
    now = _stat(leader.pid)
    if now is not None and now[2] != leader.start:
        return []
    members = []
    for pid in _pids():
        found = _stat(pid)
        if found is not None and found[1] == leader.pid and found[0] != "Z":
            members.append(Identity(boot_id(), pid, found[2]))
    return members


def marked(marker: str) -> list[tuple[Identity, str]]:
    """Running processes with this run marker, each with its SPEC value ("" when it has none)."""
    wanted, found = f"{MARKER}={marker}".encode(), []
    for pid in _pids():
        variables = _environ(pid)
        if wanted in variables:
            identity = identify(pid)
            prefix = f"{SPEC}=".encode()
            spec = next((v[len(prefix) :] for v in variables if v.startswith(prefix)), b"")
            if identity is not None:
                found.append((identity, spec.decode(errors="replace")))
    return found


def working_in(folder: Path, program: str) -> list[Identity]:
    """Running processes of that program whose working folder it is: those of Postgres write their
    titles over the marker, and make sessions of their own."""
    place = str(folder.resolve())
    found = [
        identify(pid) for pid in _pids() if folder_of(pid) == place and program_of(pid) == program
    ]
    return [identity for identity in found if identity is not None]


def leads_session(identity: Identity) -> bool:
    found = _stat(identity.pid)
    return found is not None and found[1] == identity.pid


def signal_group(identity: Identity, number: signal.Signals) -> bool:
    """Signal the process group that `identity` leads; False when it is gone."""
    if not alive(identity):
        return False
    try:
        os.killpg(identity.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise CbctlError(
            f"no permission to signal process {identity.pid}", exit=Exit.CREDENTIALS
        ) from error
    return True


def signal_one(identity: Identity, number: signal.Signals) -> bool:
    """Signal one process; False when it is gone."""
    if not alive(identity):
        return False
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return False
    return True


def kill_all(processes: Iterable[Identity]) -> int:
    """SIGKILL each that still is what it was; returns how many."""
    killed = 0
    for process in processes:
        if alive(process):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it went by itself
            killed += 1
    return killed


def folder_of(pid: int) -> str | None:
    """The working folder of a process; None when it is gone or not ours to see."""
    if LINUX:
        try:
            return str((_PROC / str(pid) / "cwd").readlink())
        except OSError:
            return None
    import psutil

    try:
        return str(psutil.Process(pid).cwd())
    except psutil.Error:
        return None


def program_of(pid: int) -> str | None:
    """The name of the program that a process runs; None when it is gone or not ours to see."""
    if LINUX:
        try:
            # The file may have been replaced by a newer version meanwhile.
            return (_PROC / str(pid) / "exe").readlink().name.removesuffix(" (deleted)")
        except OSError:
            return None
    import psutil

    try:
        return Path(psutil.Process(pid).exe()).name
    except psutil.Error:
        return None


def _pids() -> Iterator[int]:
    if LINUX:
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                yield int(entry.name)
        return
    import psutil

    yield from psutil.pids()


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State letter, session, start time; None when there is no such process."""
    if LINUX:
        try:
            text = (_PROC / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return None
        # The name in parentheses may hold anything, so count from the last one.
        fields = text[text.rindex(")") + 2 :].split()
        return fields[0], int(fields[3]), int(fields[19])
    import psutil

    try:
        process = psutil.Process(pid)
        letter = "Z" if process.status() == psutil.STATUS_ZOMBIE else "R"
        return letter, os.getsid(pid), int(process.create_time() * 1_000_000)
    except (psutil.Error, OSError):
        return None


def _environ(pid: int) -> list[bytes]:
    """Variables as `NAME=value`; empty when not ours to see."""
    if LINUX:
        try:
            return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return []
    import psutil

    try:
        return [f"{k}={v}".encode() for k, v in psutil.Process(pid).environ().items()]
    except (psutil.Error, OSError):
        return []
