"""One service under the supervisor: start, adopt, stop, start again after it died."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.errors import CbctlError
from cbctl.local import logs, processes
from cbctl.local.files import read_json, write_json
from cbctl.local.processes import Identity
from cbctl.local.seen import Seen
from cbctl.local.spec import RUNNING, Order, read_order
from cbctl.local.state import State

RAPID = 10.0  # s; a service that dies younger than this counts towards giving up
GIVE_UP = 5  # rapid deaths in a row
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0  # s, doubled from one to the other
# Fixed, so that a restart does not depend on the shell that happened to start the supervisor.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Child:
    """`state` is running, backoff, failed, stopping or stopped."""

    home: State
    name: str
    order: Order | None = None
    state: str = "stopped"
    process: Identity | None = None
    tag: str = ""  # of what runs, or ran last: spec hash and generation
    adopted: bool = False
    restarts: int = 0
    since: float = 0.0  # s since 1970
    detail: str = ""
    tail: list[str] = field(default_factory=list)  # last log lines of a failure
    pidfd: int = -1
    _popen: subprocess.Popen[bytes] | None = None
    _deaths: int = 0
    _born: float = 0.0  # monotonic
    _next_start: float = 0.0  # monotonic
    _kill_at: float = 0.0  # monotonic; 0 = not stopping
    _log_offset: int = 0

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which `step` has something to do, apart from a death."""
        if self._kill_at:
            return self._kill_at
        return self._next_start if self.state == "backoff" else None

    def reload(self) -> None:
        try:
            order = read_order(self.home, self.name)
            self._check_place()
            self.order = order
        except CbctlError as error:
            # Not written by us: what runs goes on as it was ordered before.
            logs.say(f"supervisor: {error}")

    def adopt(self) -> None:
        """Take over what a previous supervisor left running, by its record or by its marker."""
        record = Seen.of_json(read_json(self._record))
        self.restarts, known = record.restarts, record.process
        if processes.alive(known):
            self._take(known, record.tag, record.since)
            return
        leaders = [
            (found, tag)
            for found, tag in processes.marked(self.home.marker(self.name))
            if processes.leads_session(found)
        ]
        if leaders:
            found, tag = max(leaders, key=lambda item: (item[1] == self._wanted, item[0].start))
            self._take(found, tag, time.time())
            self._write_record()
        elif known is not None:
            self._clear(known)

    def _check_place(self) -> None:
        """After reading and before acting: who exchanges the folder gives no orders."""
        if not self.home.in_place():
            raise CbctlError("the state folder was exchanged", where=str(self.home.path))

    def step(self, now: float) -> bool:
        """Bring the process one step nearer to the order; True when the service can be forgotten.

        `now` is monotonic seconds.
        """
        wanted = self.order is not None and self.order.desired == RUNNING
        if self.process is not None:
            if not self._gone():
                if self._kill_at:
                    if now >= self._kill_at:
                        processes.kill_all(processes.session_members(self.process))
                elif not wanted or self.tag != self._wanted:
                    self._begin_stop(now)
                return False
            self._ended(now)
        if self.order is None:
            self._record.unlink(missing_ok=True)
            return True
        if not wanted:
            self.state, self.detail, self.tail = "stopped", "", []
        elif self.tag != self._wanted:  # a new order has all its attempts
            self._deaths, self.restarts = 0, 0
            self._start()
        elif self.state == "stopped" or (self.state == "backoff" and now >= self._next_start):
            if self.state == "backoff":
                self.restarts += 1
            self._start()
        return False

    def as_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "process": self.process.as_json() if self.process else None,
            "tag": self.tag,
            "adopted": self.adopted,
            "restarts": self.restarts,
            "since": self.since,
            "detail": self.detail,
            "log": self.tail,
        }

    @property
    def _record(self) -> Path:
        return self.home.path / "records" / f"{self.name}.json"

    @property
    def _log(self) -> Path:
        return logs.log_file(self.home, self.name)

    @property
    def _wanted(self) -> str:
        return f"{self.order.spec.hash}.{self.order.generation}" if self.order else ""

    def _start(self) -> None:
        order = self.order
        if order is None:
            return
        spec, self.tag, self.adopted = order.spec, self._wanted, False
        # Workers that survived a dead leader still hold its port.
        self._clear(None)
        try:
            environment = self._environment(order)
            remove_stale(spec.pid_file, spec.argv)
            log = logs.open_log(self._log)
            try:
                self._log_offset = os.fstat(log).st_size
                self._check_place()
                self._popen = subprocess.Popen(
                    spec.argv,
                    cwd=spec.cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            finally:
                os.close(log)
        except (OSError, ValueError, CbctlError) as error:
            # Nothing that a retry would change: the order itself cannot be carried out.
            self.state, self.detail, self.tail = "failed", f"cannot be started: {error}", []
            self.since = time.time()
            return
        self.process = processes.identify(self._popen.pid)
        self._watch(self._popen.pid)
        self.state, self.detail, self.tail = "running", "", []
        self.since, self._born = time.time(), time.monotonic()
        if self.process is None:  # it ended at once; the pid stays its own until it is reaped
            self._ended(time.monotonic())
            return
        self._write_record()

    def _environment(self, order: Order) -> dict[str, str]:
        own = {name: self.home.resolve(value) for name, value in order.spec.environment.items()}
        base = {"PATH": SEARCH_PATH, "HOME": _home(), "LANG": "C.UTF-8"}
        marks = {processes.MARKER: self.home.marker(self.name), processes.SPEC: self._wanted}
        return {**base, **own, **marks}

    def _take(self, process: Identity | None, tag: str, since: float) -> None:
        if process is None:
            return
        self.process, self.tag, self.since = process, tag, since
        self.state, self.adopted, self._born = "running", True, time.monotonic()
        self._watch(process.pid)

    def _watch(self, pid: int) -> None:
        try:
            self.pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # another system, or gone: polling will see it
            self.pidfd = -1

    def _begin_stop(self, now: float) -> None:
        spec = self.order.spec if self.order else None
        number = signal.Signals[spec.stop_signal] if spec else signal.SIGTERM
        self.state, self.since = "stopping", time.time()
        self._kill_at = now + (spec.stop_seconds if spec else 10.0)
        if self.process is not None:
            processes.signal_group(self.process, number)

    def _gone(self) -> bool:
        if self._popen is not None:
            if not hasattr(os, "waitid"):  # macOS
                return self._popen.poll() is not None
            # Not reaped yet: until the stragglers are gone the pid must stay taken.
            info = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return info is not None
        return not processes.alive(self.process)

    def _ended(self, now: float) -> None:
        leader, stopping = self.process, self._kill_at > 0
        self._clear(leader)
        code = self._popen.wait() if self._popen is not None else None
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.process, self._popen, self.pidfd, self._kill_at = None, None, -1, 0.0
        self.since = time.time()
        if stopping:
            self.state, self.detail, self.tail = "stopped", "", []
            self._record.unlink(missing_ok=True)
            return
        self._deaths = self._deaths + 1 if now - self._born < RAPID else 1
        self.detail = _how(code)
        self.tail = logs.last_lines(self._log, 12, since=self._log_offset)
        if self._deaths >= GIVE_UP:
            self.state = "failed"
            self.detail += f"; given up after {self._deaths} deaths in a row"
        else:
            self.state = "backoff"
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._deaths - 1))
            self._next_start = now + pause

    def _clear(self, leader: Identity | None) -> None:
        """Kill what is left of the service apart from its leader's zombie."""
        left = processes.session_members(leader) if leader is not None else []
        left += [found for found, _ in processes.marked(self.home.marker(self.name))]
        processes.kill_all(left)

    def _write_record(self) -> None:
        if self.process is not None:
            record = {
                "process": self.process.as_json(),
                "tag": self.tag,
                "restarts": self.restarts,
                "since": self.since,
            }
            # Not synced: after a crash of the machine the process is gone as well.
            write_json(self._record, record, sync=False)


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"  # a container may run under a number that no user has


def _how(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it exited with code {code}"


def remove_stale(pid_file: str, argv: Sequence[str]) -> None:
    """After a reboot the pid in a server's file may be anybody's; the server itself works in the
    folder of its file, and its program is among the words that start it."""
    if not pid_file:
        return
    path = Path(pid_file)
    try:
        pid = int(path.read_text().split("\n", 1)[0])
    except FileNotFoundError:
        return
    except ValueError:
        pid = 0
    here = pid > 0 and processes.folder_of(pid) == str(path.parent.resolve())
    if not here or processes.program_of(pid) not in {Path(word).name for word in argv}:
        path.unlink(missing_ok=True)
