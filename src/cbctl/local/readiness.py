"""Waiting until a service is ready, with a limit and with evidence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cbctl.errors import CbctlError, Exit
from cbctl.local import listeners, logs, probes, processes
from cbctl.local.spec import ServiceSpec

if TYPE_CHECKING:
    from cbctl.local.services import Part, Services

_PAUSE = 0.02


def wait_ready(services: Services, spec: ServiceSpec) -> None:
    """Errors: Exit.FAILED when the supervisor gave up, Exit.TIMEOUT after the spec's limit."""
    ready = spec.ready
    if ready is None:
        return
    until = time.monotonic() + ready.seconds
    while True:
        said = not_ready(services, spec)
        part = services.part(spec.name)
        if not said:
            return
        if part is not None and part.state == "failed":
            raise CbctlError(
                with_log(f"{spec.name} did not start: {part.detail}", list(part.log)),
                where=str(logs.log_file(services.state, spec.name)),
                fix=f"cbctl local logs {spec.name}",
            )
        if time.monotonic() >= until:
            path = logs.log_file(services.state, spec.name)
            raise CbctlError(
                with_log(
                    f"waited {ready.seconds:g} s for {spec.name} ({ready}): {said}",
                    logs.last_lines(path, 12),
                ),
                exit=Exit.TIMEOUT,
                where=str(path),
                fix=f"cbctl local logs {spec.name}",
            )
        services.adopt()  # without a supervisor it would not come back
        time.sleep(_PAUSE)


def not_ready(services: Services, spec: ServiceSpec) -> str:
    """ "" when the service itself, not a stranger on its port, says that it is ready."""
    part = services.part(spec.name)
    if part is None or part.pid is None:
        return f"it does not run{f': {part.detail}' if part and part.detail else ''}"
    if spec.ready is None:
        return ""
    return probes.ask(spec.ready) or _stranger(part, spec.ready.port)


def _stranger(part: Part, port: int) -> str:
    leader = processes.identify(part.pid) if part.pid else None
    if leader is not None and listeners.listens(leader, port):
        return ""
    return f"port {port} is answered by another process"


def with_log(what: str, lines: list[str]) -> str:
    if not lines:
        return what
    return "\n".join([what, "last lines of its log:", *(f"  {line[:300]}" for line in lines)])
