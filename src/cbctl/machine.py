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

T = TypeVar("T")


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


class Threads:
    """An Executor on a pool of threads."""

    def __init__(self, size: int = 16) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="step")

    def submit(self, work: Callable[[], T]) -> Task[T]:
        return self._pool.submit(work)

    def wait(self, tasks: Sequence[Task[T]]) -> Sequence[Task[T]]:
        futures = [t for t in tasks if isinstance(t, Future)]
        return list(wait(futures, return_when=FIRST_COMPLETED).done)

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


def boot_id() -> str:
    """Changes with every start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return f"boot-{int(psutil.boot_time())}"


def started(pid: int) -> str | None:
    """When the process with this id began, in a form that differs for a reused id; None: gone."""
    try:
        # field 22, after the name, which may itself hold spaces and brackets
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return None
    except (OSError, IndexError):
        return None
    import psutil

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def owner() -> Owner:
    """This process, as the lock and the audit name it: what the system says, never $USER."""
    import pwd

    pid = os.getpid()
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return Owner(boot_id(), pid, started(pid) or "", platform.node(), name)


def owner_state(owner: Owner) -> str:
    """Whether the process that took a lock on this machine is still there."""
    if owner.host == platform.node() and owner.boot != boot_id():
        return "dead"
    if owner.boot != boot_id():
        return "unknown"  # another machine, or this one under another name
    if started(owner.pid) != owner.started:
        return "dead"
    try:
        state = Path(f"/proc/{owner.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "unknown"
    return "unknown" if state in "Tt" else "alive"  # stopped: let its renewals tell
