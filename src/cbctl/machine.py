"""The real clock, randomness, threads and identity that are injected into the engine."""

from __future__ import annotations

import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from cbctl.engine.executor import Repeating, Task
from cbctl.engine.store import Owner
from cbctl.local.processes import boot_id, identify

T = TypeVar("T")

_NO_LOGIN = 0xFFFFFFFF  # of what nobody's login started: services, containers


class SystemClock:
    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemRandom:
    def token(self, size: int) -> str:
        return secrets.token_hex(size)


AWAKE_EVERY = 0.5
"""s. The system may hand a signal to any thread, and Python's handler runs in the main one: when it
wakes. Blocked for good it would never hear of Ctrl-C."""


class Threads:
    """An Executor on a pool of threads."""

    def __init__(self, size: int = 16) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="step")

    def submit(self, work: Callable[[], T]) -> Task[T]:
        return self._pool.submit(work)

    def wait(self, tasks: Sequence[Task[T]]) -> Sequence[Task[T]]:
        futures = [t for t in tasks if isinstance(t, Future)]
        while True:
            done = wait(futures, AWAKE_EVERY, FIRST_COMPLETED).done
            if done or not futures:
                return list(done)

    def every(self, seconds: float, work: Callable[[], None]) -> Repeating:
        return _Every(seconds, work)


class _Every:
    def __init__(self, seconds: float, work: Callable[[], None]) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(seconds, work), daemon=True)
        self._thread.start()

    def _run(self, seconds: float, work: Callable[[], None]) -> None:
        while not self._over.wait(seconds):
            work()

    def cancel(self) -> None:
        self._over.set()
        self._thread.join()


def owner() -> Owner:
    """This process, as the lock and the audit name it: what the system says, never $USER."""
    pid = os.getpid()
    return Owner(_here(), pid, _started(pid) or "", platform.node(), _who())


def _who() -> str:
    """The user, and before it the person who logged in, where that is somebody else: who uses a
    shared account or sudo stays who they are. The kernel keeps it through su and sudo."""
    user = _name(os.getuid())
    try:
        login = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return user
    if login in (os.getuid(), _NO_LOGIN):
        return user
    return f"{_name(login)} as {user}"


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def owner_state(owner: Owner) -> str:
    """Whether the process that took a lock on this machine is still there: "dead" only when that
    is beyond doubt, else its renewals tell."""
    boot, _, numbering = owner.boot.partition("+")
    if boot != boot_id():
        # started again since; under another name it may as well be another machine
        return "dead" if owner.host.rpartition("@")[2] == platform.node() else "unknown"
    if numbering != _numbering():
        return "unknown"  # in another container: its pid means nothing here
    started = _started(owner.pid)
    if started != owner.started:
        return "unknown" if started is None and _hidden(owner.pid) else "dead"
    return "unknown" if _stopped(owner.pid) else "alive"


def _here() -> str:
    return f"{boot_id()}+{_numbering()}"


def _numbering() -> str:
    """Which numbering of processes a pid belongs to: containers on one kernel have their own."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    identity = identify(pid)
    return str(identity.start) if identity else None


def _hidden(pid: int) -> bool:
    """Another user's process may be there although it is not shown (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _stopped(pid: int) -> bool:
    """By SIGSTOP or a debugger: it runs, but does not work."""
    import psutil

    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return True  # gone just now, or not ours to see
