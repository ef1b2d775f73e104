"""Asks every pod that serves, and the address that others use, whether the service works."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from cbctl.clients import service
from cbctl.engine.step import (
    CannotUndo,
    Change,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.steps.api import _target as target

_PAUSE = 0.5
_URL_SECONDS = 10.0


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    port, health, ready  what each pod is asked
    url         address at which others reach the service; none: it is not asked
    deployment  its name, where there are several
    namespace_uid  what the namespace must be known by
    seconds     that all may take until they answer well
    """

    context: str
    namespace: str
    owner: str
    port: int
    health: str
    ready: str
    url: str | None = None
    deployment: str = ""
    namespace_uid: str = ""
    seconds: float = 30.0


@dataclass(frozen=True)
class Facts:
    """None: what is found is a verdict, not a reason to change something."""


class Smoke(Step[Inputs, Facts, Facts]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Ask every pod whether the service works"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts())

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        return Nothing("it only looks")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        return Facts()

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        until, told = ctx.monotonic() + inputs.seconds, ""
        with target.connected(ctx, inputs, working=True) as api:
            while True:
                said = dict(_asked(api, inputs))
                wrong = [f"{who} answers {what}" for who, what in said.items() if what != "200"]
                if not said:
                    wrong = ["no pod is there to be asked"]
                if not wrong:
                    return Verified({"asked": dict(said)})
                if ctx.monotonic() >= until:
                    fix = "cbctl api status and cbctl api logs show more"
                    return NotVerified("; ".join(wrong), fix, {"asked": dict(said)})
                if told != (told := "; ".join(wrong)):
                    ctx.progress(f"waiting: {told}")
                ctx.sleep(_PAUSE)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # nothing was changed


def _asked(api: Any, inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Whom we asked, and what the answer was: "200" when it is well."""
    from cbctl.clients.kubernetes import live
    from cbctl.clients.kubernetes.failures import Refused, Unreachable

    for pod in live.newest_pods(api, target.deployment(api, inputs)):
        name = pod["metadata"]["name"]
        for path in (inputs.health, inputs.ready):
            try:
                body = api.ask(name, inputs.port, path)
            except (Refused, Unreachable) as error:
                yield f"pod {name} at {path}", error.what
                continue
            wrong = service.not_ready(200, body) if path == inputs.ready else ""
            yield f"pod {name} at {path}", wrong or "200"
    if inputs.url is not None:
        yield inputs.url + inputs.health, _through(inputs.url, inputs.health)


def _through(url: str, path: str) -> str:
    try:
        status, _ = service.get(url, path, seconds=_URL_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"nothing: {str(error) or type(error).__name__}"
    return "200" if status == 200 else f"HTTP {status}"


STEP = Smoke()
