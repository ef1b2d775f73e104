"""`python -m cbctl.local.supervisor STATE`: keeps the services of one state folder running.

One per folder (a flock). Its children lead sessions of their own and outlive it; the next one
adopts them. It is talked to through files and signals: it does what `services/*.json` say,
SIGHUP makes it look at once, `supervisor.json` is its answer, SIGTERM ends it alone.
Exit codes: 0 it runs in the background, 75 there is one already.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.errors import CbctlError
from cbctl.local import logs, processes
from cbctl.local.child import Child
from cbctl.local.files import PRIVATE_FILE, write_json
from cbctl.local.spec import service_names
from cbctl.local.state import State

PROTOCOL = 2  # a client restarts a supervisor that speaks another
TAKEN = 75
LOCK, ANSWER = "supervisor.lock", "supervisor.json"
ROUND = 2.0  # s between looks at the folder without being asked
WITHOUT_PIDFD = 0.2  # s between looks at processes where the kernel does not tell


def take_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None when somebody else does."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(folder / LOCK, flags, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@dataclass
class Supervisor:
    """The loop; `run` returns after SIGTERM, or when its state folder is gone."""

    home: State
    lock: int
    children: dict[str, Child] = field(default_factory=dict)
    _published: dict[str, Any] | None = None
    _signals: set[int] = field(default_factory=set)

    def run(self) -> None:
        wake = self._listen()
        for record in (self.home.path / "records").glob("*.json"):
            self._child(record.stem)
        self._look()
        next_round = time.monotonic() + ROUND
        while not self._signals & {signal.SIGTERM, signal.SIGINT}:
            try:
                self._step()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + ROUND
                    self._round()
            except OSError as error:
                # A full disk must not end the supervision; a folder that was removed does.
                if not self._has_folder():
                    break
                logs.say(f"supervisor: {error}")
                time.sleep(1.0)
            if not self._has_folder():
                break
            self._wait(wake, next_round)
            if signal.SIGHUP in self._signals:
                self._signals.discard(signal.SIGHUP)
                self._look()
        if not self._has_folder():
            self._abandon()

    def _step(self) -> None:
        for name, child in list(self.children.items()):
            if child.step(time.monotonic()):
                del self.children[name]
        self._publish()

    def _round(self) -> None:
        for log in (self.home.path / "logs").glob("*.log"):
            logs.rotate(log)
        self._look()

    def _listen(self) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda number, _: self._signals.add(number))
        return read

    def _wait(self, wake: int, until: float) -> None:
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        times = [until]
        for child in self.children.values():
            if child.deadline is not None:
                times.append(child.deadline)
            if child.pidfd >= 0:
                poll.register(child.pidfd, select.POLLIN)
            elif child.process is not None:
                times.append(time.monotonic() + WITHOUT_PIDFD)
        if self._signals - {signal.SIGCHLD}:
            return
        poll.poll(max(0.0, min(times) - time.monotonic()) * 1000 + 1)
        self._signals.discard(signal.SIGCHLD)
        try:
            os.read(wake, 512)
        except BlockingIOError:
            return  # it was a death or a time, not a signal

    def _child(self, name: str) -> Child:
        child = self.children.get(name)
        if child is None:
            child = self.children[name] = Child(self.home, name)
            child.reload()
            child.adopt()
        return child

    def _look(self) -> None:
        for name in {*service_names(self.home), *self.children}:
            self._child(name).reload()

    def _publish(self) -> None:
        parts = {name: child.as_json() for name, child in self.children.items()}
        if parts != self._published:
            own = processes.identify(os.getpid())
            answer = {
                "protocol": PROTOCOL,
                "process": own.as_json() if own else None,
                "parts": parts,
            }
            write_json(self.home.path / ANSWER, answer, sync=False)
            self._published = parts  # not before: a full disk may have room later

    def _has_folder(self) -> bool:
        try:
            return self.home.in_place() and os.path.samestat(
                (self.home.path / LOCK).lstat(), os.fstat(self.lock)
            )
        except OSError:
            return False

    def _abandon(self) -> None:
        """The folder was removed: nobody can reach its services any more, so they end too."""
        for child in self.children.values():
            if child.process is not None:
                processes.kill_all(processes.session_members(child.process))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m cbctl.local.supervisor STATE", file=sys.stderr)
        return 64
    try:
        home = State.at(Path(arguments[0]))
        lock = take_lock(home.path)
    except (CbctlError, OSError) as error:
        logs.say(f"supervisor: {error}")
        return 1
    if lock is None:
        return TAKEN
    # The lock goes on with the child; the parent's exit tells the caller that it is held.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the services' secrets
    Supervisor(home, lock).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
