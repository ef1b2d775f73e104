"""What the steps that run one local service have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from cbctl.config.types import Reference
from cbctl.engine.step import (
    CannotUndo,
    Change,
    Context,
    Json,
    NotVerified,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError
from cbctl.local import logs
from cbctl.local.ports import Ports
from cbctl.local.readiness import not_ready
from cbctl.local.services import Services
from cbctl.local.spec import RUNNING, Part, ServiceSpec, read_order
from cbctl.local.state import State

RPC_URL = "rpc-url"  # name of the secret that leads to the chain


@dataclass(frozen=True)
class Running:
    """The process of a service, as plans compare it.

    spec        hash of what runs; "" when nothing runs
    answers     it is ready
    supervised  it would be started again if it died
    """

    spec: str
    answers: bool
    supervised: bool


class Placed(Protocol):
    """Inputs that name a state folder."""

    @property
    def platform(self) -> str: ...

    @property
    def env(self) -> str: ...


I = TypeVar("I", bound=Placed)  # noqa: E741 - as in engine.step
F = TypeVar("F")
O = TypeVar("O")  # noqa: E741


class ServiceStep(Step[I, F, O]):
    """A step that runs one service.

    name  of the service
    """

    name: ClassVar[str]

    def services(self, inputs: I) -> Services:
        return Services(State.open(inputs.platform, inputs.env))

    def identify(self, ctx: Context, inputs: I, changes: tuple[Change, ...]) -> Json:
        """The spec that ran before, to go back to; it holds no secret."""
        services = self.services(inputs)
        part, order = services.part(self.name), read_order(services.state, self.name)
        if part is None or order is None or part.pid is None:
            return {"previous": None}
        return {"previous": order.spec.as_json()}

    def undo(self, ctx: Context, inputs: I, before: Json, intent: Json) -> CannotUndo | None:
        """Back to the spec that ran before, or to no process at all."""
        if not isinstance(intent, dict) or "previous" not in intent:
            return CannotUndo("it is not recorded what ran before")
        previous, services = intent["previous"], self.services(inputs)
        ctx.fence()
        if isinstance(previous, dict):
            services.ensure(ServiceSpec.of_json(previous))
        else:
            services.stop(self.name)
        return None


def at_most(name: str) -> tuple[str, ...]:
    """All that `differences` may name."""
    return (name, f"{name} settings", f"{name} supervision")


def taken(services: Services, name: str, port: int, count: int = 1) -> tuple[str, str]:
    """Who has a port that the service needs, and what helps; ("", "") when nobody has."""
    try:
        Ports(services.state).check(name, port, count)
    except CbctlError as error:
        return error.what, error.fix
    return "", ""


def look(services: Services, name: str) -> tuple[Running, dict[str, Json]]:
    """Facts and evidence about a service; asks the process itself."""
    part, order = services.part(name), read_order(services.state, name)
    if part is None or order is None or part.pid is None:
        evidence: dict[str, Json] = {"state": part.state if part else "never started"}
        if part is not None and part.detail:
            evidence |= {"detail": part.detail, "log": list(part.log)}
        return Running("", False, False), evidence
    said = not_ready(services.state, part, order.spec)
    evidence = {"state": part.state, "pid": part.pid, "restarts": part.restarts, "url": part.url}
    if said:
        evidence["says"] = said
    return Running(part.spec_hash, not said, part.state == RUNNING), evidence


def differences(name: str, running: Running, wanted: str) -> list[Change]:
    """What would have to change for the service to run from the spec with the hash `wanted`
    ("": not known before it is made)."""
    if not running.spec:
        return [Change(name, "stopped", "running")]
    if running.spec != wanted:
        return [Change(f"{name} settings", running.spec, wanted or "new")]
    if not running.answers:
        return [Change(name, "does not answer", "running")]
    if not running.supervised:
        return [Change(f"{name} supervision", "none", "running")]
    return []


def start(ctx: Context, services: Services, spec: ServiceSpec) -> None:
    """Make `spec` run; a process of it that does not answer is replaced."""
    running, _ = look(services, spec.name)
    if running.spec == spec.sealed(services.state).hash and not running.answers:
        ctx.progress(f"{spec.name} does not answer: stopping it")
        services.stop(spec.name)
    ctx.fence()
    ctx.progress(f"starting {spec.name}, then waiting for {spec.ready or 'its process'}")
    services.ensure(spec)


def verify(services: Services, name: str, wanted: str | None = None) -> Verdict:
    """The service runs, from the wanted spec, under supervision, and answers."""
    running, evidence = look(services, name)
    part = services.part(name)
    if not running.spec:
        why = f"{name} does not run"
    elif wanted is not None and running.spec != wanted:
        why = f"{name} does not run with the settings it should have"
    elif not running.answers:
        why = f"{name} does not answer: {evidence.get('says')}"
    elif not running.supervised:
        why = f"{name} has no supervisor"
    else:
        return Verified(evidence)
    return NotVerified(
        why,
        fix=services.state.command(f"logs {name}"),
        evidence={**evidence, **_log(services, part)},
    )


def _log(services: Services, part: Part | None) -> Mapping[str, Json]:
    if part is None:
        return {}
    lines = list(part.log) or logs.last_lines(logs.log_file(services.state, part.name), 12)
    return {"log": [*lines]}


def reveal(ctx: Context, value: str | Reference | None) -> str:
    """The value of a setting; "" when it is not set, or is an optional reference without a
    value."""
    return ctx.reveal(value).reveal() if isinstance(value, Reference) else value or ""
