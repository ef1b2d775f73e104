"""What steps and commands do with the services of a state folder, through its supervisor."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cbctl.errors import CbctlError, Exit
from cbctl.local import logs, processes, supervisor
from cbctl.local.files import read_json
from cbctl.local.processes import Identity
from cbctl.local.readiness import wait_ready
from cbctl.local.seen import Seen
from cbctl.local.spec import (
    RUNNING,
    STOPPED,
    Order,
    Part,
    ServiceSpec,
    read_order,
    service_names,
    write_order,
)
from cbctl.local.state import State

ANSWERS = 10.0  # s; the supervisor's time limit for taking note of an order
_PAUSE = 0.01

Change = Literal["started", "adopted", "restarted", "unchanged"]


@dataclass(frozen=True)
class Services:
    """The services of a state folder."""

    state: State

    def ensure(self, spec: ServiceSpec) -> Change:
        """Make `spec` what runs, and wait until it is ready.

        Errors: Exit.FAILED when it dies, Exit.TIMEOUT when it is not ready in time; both with the
        last lines of its log.
        """
        spec = spec.sealed(self.state)
        before, order = self.part(spec.name), read_order(self.state, spec.name)
        same = before is not None and before.running and before.spec_hash == spec.hash
        generation = order.generation if order else 1
        if order is not None and before is not None and before.state == "failed":
            generation += 1  # a new attempt
        self._order(Order(spec, RUNNING, generation))
        part = self._settled(spec.name, spec.hash, generation)
        change: Change
        if same and before is not None and before.pid == part.pid:
            change = "unchanged" if before.state == "running" else "adopted"
        else:
            change = "restarted" if before is not None and before.running else "started"
        self._wait_ready(spec)
        return change

    def adopt(self) -> bool:
        """See that a supervisor runs; True when it had to be started."""
        found = self._answer()
        if _speaks(found):
            return False
        if found is not None:  # an older one; its children outlive it
            self._end_supervisor(found)
        self._start_supervisor()
        return True

    def stop(self, name: str) -> bool:
        """Stop a service and wait for its end; False when it did not run."""
        return bool(self._stop([name]))

    def stop_all(self, order: tuple[str, ...] = ()) -> list[str]:
        """Stop all services, those in `order` first and one after the other, then the supervisor;
        returns what ran."""
        stopped = [name for name in order if self.stop(name)]
        stopped += self._stop([name for name in service_names(self.state) if name not in order])
        found = self._answer()
        if found is not None:
            self._end_supervisor(found)
        return stopped

    def restart(self, name: str) -> None:
        """Stop and start exactly what the written spec says, and wait until it is ready."""
        order = self._known(name)
        spec = order.spec.sealed(self.state)  # a changed secret is a reason to restart
        self._order(Order(spec, RUNNING, order.generation + 1))
        self._settled(name, spec.hash, order.generation + 1)
        self._wait_ready(spec)

    def status(self) -> list[Part]:
        """All services that were ever ordered, by name; looks at the processes themselves."""
        parts = [self.part(name) for name in service_names(self.state)]
        return [part for part in parts if part is not None]

    def part(self, name: str) -> Part | None:
        """One service; None when it was never ordered."""
        order = read_order(self.state, name)
        if order is None:
            return None
        told = self._told(name)
        shown = told or Seen.of_json(read_json(self.state.path / "records" / f"{name}.json"))
        process, tag = shown.process, shown.tag
        if told is not None:
            state = told.state
            if state == "running" and not processes.alive(process):
                # It died this moment, or runs again and the supervisor could not say so: on a full
                # disk not even later.
                again, its_tag, _ = self._orphan(name)
                process, tag, state = (again, its_tag, state) if again else (None, tag, "backoff")
        elif processes.alive(process):
            state = "unsupervised"
        else:
            process, tag, state = self._orphan(name)
        return Part(
            name=name,
            state=state,
            pid=process.pid if process and processes.alive(process) else None,
            since=shown.since,
            restarts=shown.restarts,
            url=order.spec.url,
            release=order.spec.release,
            spec_hash=tag.partition(".")[0],
            detail=shown.detail,
            log=shown.log,
        )

    def logs(
        self,
        name: str,
        *,
        lines: int = 50,
        follow: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[str]:
        """The last lines of a service's log; with `follow` the coming ones until `stop()`."""
        self._known(name)
        path = logs.log_file(self.state, name)
        return logs.follow(path, lines, stop=stop) if follow else iter(logs.last_lines(path, lines))

    def _wait_ready(self, spec: ServiceSpec) -> None:
        def look() -> Part | None:
            self.adopt()  # without a supervisor it would not come back
            return self.part(spec.name)

        wait_ready(self.state, spec, look)

    def _orphan(self, name: str) -> tuple[Identity | None, str, str]:
        for found, tag in processes.marked(self.state.marker(name)):
            if processes.leads_session(found):
                return found, tag, "unsupervised"
        return None, "", "stopped"

    def _known(self, name: str) -> Order:
        order = read_order(self.state, name)
        if order is None:
            names = ", ".join(service_names(self.state)) or "none; bring them up with a deploy"
            raise CbctlError(
                f"there is no local service {name!r}", exit=Exit.USAGE, fix=f"services: {names}"
            )
        return order

    def _stop(self, names: list[str]) -> list[str]:
        ordered = []
        for name in names:
            part, order = self.part(name), read_order(self.state, name)
            if part is None or order is None:
                continue
            ordered.append((part.pid is not None, order))
            if part.pid is not None or part.state != "stopped" or order.desired != STOPPED:
                write_order(self.state, Order(order.spec, STOPPED, order.generation))
        if ordered:
            self.adopt()
            self._wake()
        for _, order in ordered:
            self._wait(order.spec, lambda part: part.state == "stopped", "to stop")
        return [order.spec.name for ran, order in ordered if ran]

    def _order(self, order: Order) -> None:
        if read_order(self.state, order.spec.name) != order:
            write_order(self.state, order)
            self.adopt()
            # Also when it was just started: by somebody else it may have been before our order.
            self._wake()
        else:
            self.adopt()

    def _settled(self, name: str, spec_hash: str, generation: int) -> Part:
        order = self._known(name)
        tag = f"{spec_hash}.{generation}"

        def done(part: Part) -> bool:
            told = self._told(name)
            if told is None or told.tag != tag:
                return False
            return part.state in ("running", "backoff", "failed")

        return self._wait(order.spec, done, "to be started")

    def _wait(self, spec: ServiceSpec, done: Callable[[Part], bool], what: str) -> Part:
        limit = ANSWERS + spec.stop_seconds
        until = time.monotonic() + limit
        while True:
            part = self.part(spec.name)
            if part is not None and done(part):
                return part
            self.adopt()  # it may have been killed since
            if time.monotonic() >= until:
                raise CbctlError(
                    f"waited {limit:.0f} s for {spec.name} {what}; it is"
                    f" {part.state if part else 'not known'}",
                    exit=Exit.TIMEOUT,
                    where=str(self.state.path),
                    fix=f"look at {logs.log_file(self.state, 'supervisor')}",
                )
            time.sleep(_PAUSE)

    def _answer(self) -> dict[str, Any] | None:
        """What the living supervisor published; None when none lives."""
        answer = read_json(self.state.path / supervisor.ANSWER)
        if answer is None or not processes.alive(Identity.of_json(answer.get("process"))):
            return None
        return answer

    def _told(self, name: str) -> Seen | None:
        """What the living supervisor says of a service; None when it says nothing."""
        parts = (self._answer() or {}).get("parts")
        if not isinstance(parts, dict) or name not in parts:
            return None
        told = Seen.of_json(parts[name])
        return told if told.state else None

    def _wake(self) -> None:
        process = Identity.of_json((self._answer() or {}).get("process"))
        if process is not None:
            processes.signal_one(process, signal.SIGHUP)

    def _end_supervisor(self, answer: dict[str, Any]) -> None:
        process = Identity.of_json(answer.get("process"))
        if process is None:
            return
        processes.signal_one(process, signal.SIGTERM)
        until = time.monotonic() + ANSWERS
        while processes.alive(process):
            if time.monotonic() >= until:
                processes.kill_all([process])  # its children do not depend on it
            time.sleep(_PAUSE)

    def _start_supervisor(self) -> None:
        package = Path(__file__).parents[2]
        log = logs.open_log(logs.log_file(self.state, "supervisor"))
        with open(log, "ab") as output:  # noqa: PTH123 (a descriptor)
            started = subprocess.run(
                [sys.executable, "-P", "-m", "cbctl.local.supervisor", str(self.state.path)],
                cwd="/",
                env={"PYTHONPATH": str(package), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # it outlives this command from its first moment
                check=False,
            )
        # TAKEN: another cbctl was faster; its supervisor serves as well.
        until = time.monotonic() + ANSWERS
        while not _speaks(self._answer()):
            if started.returncode not in (0, supervisor.TAKEN) or time.monotonic() >= until:
                raise CbctlError(
                    f"the supervisor of the local services did not start"
                    f" (exit code {started.returncode})",
                    where=str(logs.log_file(self.state, "supervisor")),
                    fix="mend what its log says, and run the command again",
                    evidence={"log": logs.last_lines(logs.log_file(self.state, "supervisor"), 5)},
                )
            time.sleep(_PAUSE)


def _speaks(answer: dict[str, Any] | None) -> bool:
    return answer is not None and answer.get("protocol") == supervisor.PROTOCOL
