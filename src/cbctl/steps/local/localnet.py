"""local.localnet: a Solana localnet on this machine."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path

import cbctl
from cbctl.engine.step import (
    Blocked,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    Observation,
    PlanVerdict,
    Verdict,
)
from cbctl.errors import CbctlError
from cbctl.local import probes
from cbctl.local.binaries import python
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec, read_order
from cbctl.local.state import State
from cbctl.steps.local import _service

NAME = "localnet"
ADDRESS = "chain address"
SLOT_MS = "--slot-ms"
CHAIN_FILE = "chain/chain.db"


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    port     of the JSON-RPC; the WebSocket has the next one
    slot_ms  milliseconds per slot
    """

    platform: str
    env: str
    port: int = 8899
    slot_ms: int = 400


@dataclass(frozen=True)
class Facts:
    """process, wanted  as of a service; blocked: why it cannot run so, fix: what helps
    linked  `${state:rpc-url}` leads here
    """

    process: _service.Running
    wanted: str
    linked: bool
    blocked: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Outcome:
    url: str
    websocket: str
    genesis_hash: str


class LocalLocalnet(_service.ServiceStep[Inputs, Facts, Outcome]):
    inputs = Inputs
    name = NAME
    summary = "Run a Solana localnet on this machine"
    at_most = (*_service.at_most(NAME), ADDRESS)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        services = self.services(inputs)
        state = services.state
        process, evidence = _service.look(services, NAME)
        blocked = fix = ""
        if not process.answers:
            blocked, fix = _service.taken(services, NAME, inputs.port, 2)
        if slots := _other_slots(state, inputs.slot_ms):
            blocked = f"the slots of this chain take {slots} ms, and slot_ms says {inputs.slot_ms}"
            fix = f"put slot_ms back, or start a new chain: cbctl localnet reset --env {inputs.env}"
        wanted = spec(state, inputs).sealed(state).hash
        linked = state.read_secret(_service.RPC_URL) == url(inputs)
        return Observation(Facts(process, wanted, linked, blocked, fix), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.blocked:
            return Blocked(facts.blocked, facts.fix)
        changes = _service.differences(NAME, facts.process, facts.wanted)
        if not facts.linked:
            changes.append(Change(ADDRESS, None, url(inputs)))
        return Changes(tuple(changes)) if changes else Nothing("it runs and answers")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        services = self.services(inputs)
        ctx.fence()
        Ports(services.state).reserve(NAME, preferred=inputs.port, count=2)
        _service.start(ctx, services, spec(services.state, inputs, release=ctx.run))
        services.state.write_secret(_service.RPC_URL, url(inputs))
        return _outcome(services.state, inputs)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return _outcome(self.services(inputs).state, inputs)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        services = self.services(inputs)
        wanted = spec(services.state, inputs).sealed(services.state).hash
        return _service.verify(services, NAME, wanted)


def url(inputs: Inputs) -> str:
    return f"http://{HOST}:{inputs.port}"


def spec(state: State, inputs: Inputs, *, release: str = "") -> ServiceSpec:
    chain = state.path / "chain"
    options = {"--state": chain, "--port": inputs.port, SLOT_MS: inputs.slot_ms}
    words = (str(word) for pair in options.items() for word in pair)
    return ServiceSpec(
        name=NAME,
        argv=(python(), "-P", "-m", "cbctl.localnet", *words),
        cwd=str(chain),
        ready=Ready("rpc", inputs.port, seconds=60.0),
        # The version is there so that another cbctl's localnet replaces this one.
        environment={
            "PYTHONPATH": str(Path(cbctl.__file__).parents[1]),
            "CBCTL_VERSION": cbctl.__version__,
        },
        url=url(inputs),
        release=release,
        stop_seconds=20.0,
    )


def _other_slots(state: State, slot_ms: int) -> str:
    """What the slots of the chain take, if that is not slot_ms; a chain keeps its own."""
    order = read_order(state, NAME)
    if order is None or SLOT_MS not in order.spec.argv or not (state.path / CHAIN_FILE).exists():
        return ""
    took = order.spec.argv[order.spec.argv.index(SLOT_MS) + 1]
    return took if took != str(slot_ms) else ""


def _outcome(state: State, inputs: Inputs) -> Outcome:
    try:
        genesis = probes.rpc(inputs.port, "getGenesisHash")
    except (OSError, http.client.HTTPException) as error:
        raise CbctlError(
            f"the localnet does not tell its genesis hash: {error}",
            where=url(inputs),
            fix=state.command(f"logs {NAME}"),
        ) from error
    return Outcome(url(inputs), f"ws://{HOST}:{inputs.port + 1}", str(genesis))


STEP = LocalLocalnet()
