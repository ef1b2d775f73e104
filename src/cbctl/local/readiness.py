"""Whether a service is ready, and waiting until it is, with a limit and with evidence."""

from __future__ import annotations

import time
from collections.abc import Callable

from cbctl.errors import CbctlError, Exit
from cbctl.local import listeners, logs, probes, processes
from cbctl.local.spec import Part, ServiceSpec
from cbctl.local.state import State

_PAUSE = 0.02


def wait_ready(state: State, spec: ServiceSpec, look: Callable[[], Part | None]) -> None:
    """
    look  tells how the service is, and sees to it that somebody starts it

    Errors: Exit.FAILED when the supervisor gave up, Exit.TIMEOUT after the spec's limit.
    """
    ready = spec.ready
    if ready is None:
        return
    until = time.monotonic() + ready.seconds
    path = logs.log_file(state, spec.name)
    while True:
        part = look()
        said = not_ready(state, part, spec)
        if not said:
            return
        if part is not None and part.state == "failed":
            raise CbctlError(
                f"{spec.name} did not start: {part.detail}",
                fix=state.command(f"logs {spec.name}"),
                evidence=_log(list(part.log)),
            )
        if time.monotonic() >= until:
            raise CbctlError(
                f"waited {ready.seconds:g} s for {spec.name} ({ready}): {said}",
                exit=Exit.TIMEOUT,
                fix=state.command(f"logs {spec.name}"),
                evidence=_log(logs.last_lines(path, 12)),
            )
        time.sleep(_PAUSE)


def not_ready(state: State, part: Part | None, spec: ServiceSpec) -> str:
    """ "" when the service itself, not a stranger on its port, says that it is ready."""
    if part is None or part.pid is None:
        return f"it does not run{f': {part.detail}' if part and part.detail else ''}"
    if spec.ready is None:
        return ""
    return probes.ask(spec.ready, state) or _stranger(part, spec.ready.port)


def _stranger(part: Part, port: int) -> str:
    leader = processes.identify(part.pid) if part.pid else None
    if leader is not None and listeners.listens(leader, port):
        return ""
    return f"port {port} is answered by another process"


def _log(lines: list[str]) -> dict[str, list[str]]:
    return {"log": [line[:300] for line in lines]} if lines else {}
