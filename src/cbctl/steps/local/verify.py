"""local.verify: asks every part of the local platform whether it works; changes nothing."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cbctl.clients import service
from cbctl.config.types import Secret
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
from cbctl.errors import CbctlError
from cbctl.local import postgres, probes, redis
from cbctl.local.ports import HOST
from cbctl.local.state import State

_PAUSE = 0.1


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    api_port       port of the API
    chain_port     port of the chain's JSON-RPC
    health, ready  paths of the API
    genesis_hash   what the chain must answer, where that is known
    seconds        time limit: the API may need a moment to see that its parts are there
    """

    platform: str
    env: str
    api_port: int
    chain_port: int = 8899
    health: str = "/health"
    ready: str = "/ready"
    genesis_hash: str | None = None
    seconds: float = 15.0


@dataclass(frozen=True)
class Facts:
    """None: what is found is a verdict, not a reason to change something."""


@dataclass(frozen=True)
class Outcome:
    url: str
    rpc: str


class LocalVerify(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Ask every part of the local platform whether it works"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts())

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        return Nothing("it only looks")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        return self.outcome(ctx, inputs, Facts())

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(f"http://{HOST}:{inputs.api_port}", f"http://{HOST}:{inputs.chain_port}")

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        state = State.open(inputs.platform, inputs.env)
        until, told = ctx.monotonic() + inputs.seconds, ""
        while True:
            evidence, wrong = _look(ctx, inputs, state)
            if not wrong:
                return Verified(evidence)
            if ctx.monotonic() >= until:
                return NotVerified("; ".join(wrong), f"cbctl status {inputs.env}", evidence)
            if told != (told := "; ".join(wrong)):
                ctx.progress(f"waiting for {told}")
            ctx.sleep(_PAUSE)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # nothing was changed


def _look(ctx: Context, inputs: Inputs, state: State) -> tuple[dict[str, Json], list[str]]:
    """What each part said, and what is wrong."""
    evidence: dict[str, Json] = {}
    wrong: list[str] = []
    parts: dict[str, Callable[[], str]] = {
        "database": partial(_database, state),
        "cache": partial(_cache, state),
        "chain": partial(_chain, inputs),
        "api health": partial(_health, inputs),
        "api ready": partial(_ready, inputs),
    }
    for name, ask in parts.items():
        began = ctx.monotonic()
        try:
            said = ask()
        except (CbctlError, OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            wrong.append(f"{name}: {said}")
        evidence[name] = {"said": said, "ms": round((ctx.monotonic() - began) * 1000, 1)}
    return evidence, wrong


def _database(state: State) -> str:
    from cbctl.clients.postgres.connect import ping

    return f"version {ping(Secret(state.secret(postgres.URL)))}"


def _cache(state: State) -> str:
    from cbctl.clients.redis import ping

    return f"version {ping(state.secret(redis.URL))}"


def _chain(inputs: Inputs) -> str:
    found = str(probes.rpc(inputs.chain_port, "getGenesisHash"))
    if inputs.genesis_hash not in (None, found):
        raise OSError(f"another chain: genesis {found}, not {inputs.genesis_hash}")
    health = probes.rpc(inputs.chain_port, "getHealth")
    if health != "ok":
        raise OSError(f"getHealth says {str(health)[:200]}")
    return f"genesis {found}"


def _health(inputs: Inputs) -> str:
    status, _ = probes.get(inputs.api_port, inputs.health)
    if status != 200:
        raise OSError(f"{inputs.health} answers with HTTP {status}")
    return "200"


def _ready(inputs: Inputs) -> str:
    status, body = probes.get(inputs.api_port, inputs.ready, seconds=5.0)
    if wrong := service.not_ready(status, body):
        raise OSError(f"{inputs.ready} answers with {wrong}")
    checks = service.checks_in(body)
    return f"200, {checks} checks healthy" if checks else "200"


STEP = LocalVerify()
