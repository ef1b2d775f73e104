"""local.api: the API service as a process on this machine, from a copy of its source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Verdict,
)
from cbctl.errors import CbctlError, Exit
from cbctl.local import artifacts, postgres, redis
from cbctl.local.binaries import python
from cbctl.local.ports import HOST, Ports
from cbctl.local.spec import Ready, ServiceSpec, read_order
from cbctl.local.state import State
from cbctl.steps.local import _service

NAME = "api"
CODE, KEPT = "api code", "api artifact"
# Secrets that another step makes; any other `${state:NAME}` is generated when it is first needed.
_MADE = (postgres.URL, redis.URL, _service.RPC_URL)


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    module       what `python -m` runs; its folder is `source`
    source       folder of the code: it is copied, and runs from the copy
    artifact     sha256 of a copy that is kept, instead of `source` (to go back to a release)
    port         on 127.0.0.1; given to the process as PORT, with HOST
    health       path that answers 200 when the process is ready to be asked
    environment  variables of the process: plain values and references
    after        values of steps that this one depends on (`link`, `url`): when one of them will
                 change, this step is planned again after it
    """

    platform: str
    env: str
    module: str
    port: int
    environment: Mapping[str, str | Reference] = field(default_factory=dict)
    health: str = "/health"
    source: Path | None = None
    artifact: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """sha256   of the code that should run
    kept     its copy is in the state folder, complete
    runs     sha256 of the code that the written spec names ("" = none)
    process, wanted, blocked, fix  as of a service
    """

    sha256: str
    kept: bool
    runs: str
    process: _service.Running
    wanted: str
    blocked: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Outcome:
    artifact: str
    url: str


class LocalApi(_service.ServiceStep[Inputs, Facts, Outcome]):
    inputs = Inputs
    name = NAME
    summary = "Run the API service on this machine"
    at_most = (KEPT, CODE, *_service.at_most(NAME))

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        services = self.services(inputs)
        state = services.state
        process, evidence = _service.look(services, NAME)
        sha256, blocked, fix = _code(inputs), "", ""
        kept = artifacts.is_kept(state, sha256)
        try:
            if inputs.source is None:
                artifacts.verified(state, sha256)
            if not process.answers:
                Ports(state).check(NAME, inputs.port)
        except CbctlError as error:
            blocked, fix = error.what, error.fix
        wanted = ""
        values = _values(ctx, inputs, state)
        if values is not None:
            made = spec(state, inputs, sha256, values)
            wanted = made.sealed(state, _coming(values)).hash
        runs = _runs(state) if process.spec else ""
        return Observation(Facts(sha256, kept, runs, process, wanted, blocked, fix), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.blocked:
            return Blocked(facts.blocked, facts.fix)
        changes = []
        if not facts.kept:
            changes.append(Change(KEPT, None, facts.sha256))
        if facts.runs and facts.runs != facts.sha256:
            changes.append(Change(CODE, facts.runs, facts.sha256))
        else:
            changes += _service.differences(NAME, facts.process, facts.wanted)
        return Changes(tuple(changes)) if changes else Nothing("this code runs and answers")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        services = self.services(inputs)
        state = services.state
        ctx.fence()
        if inputs.source is not None:
            sha256 = artifacts.put_tree(state, inputs.source)
        else:
            sha256 = inputs.artifact
            artifacts.verified(state, sha256)
        _generate(inputs, state)
        values = _values(ctx, inputs, state)
        if values is None:
            raise _missing(inputs, state)
        for name, value in _coming(values).items():
            state.write_secret(name, value)
        Ports(state).reserve(NAME, preferred=inputs.port)
        _service.start(ctx, services, spec(state, inputs, sha256, values, release=ctx.run))
        return Outcome(sha256, url(inputs))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(facts.sha256, url(inputs))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        services = self.services(inputs)
        runs = _runs(services.state)
        try:
            artifacts.verified(services.state, runs)
        except CbctlError as error:
            return NotVerified(f"the code that runs is not what was deployed: {error.what}")
        return _service.verify(services, NAME)


def url(inputs: Inputs) -> str:
    return f"http://{HOST}:{inputs.port}"


def spec(
    state: State,
    inputs: Inputs,
    sha256: str,
    values: Mapping[str, _Value],
    *,
    release: str = "",
) -> ServiceSpec:
    folder = str(state.path / "artifacts" / sha256)
    environment = {name: value.written for name, value in values.items()}
    return ServiceSpec(
        name=NAME,
        argv=(python(), "-P", "-m", inputs.module),
        cwd=folder,
        ready=Ready("http", inputs.port, inputs.health),
        environment={
            "HOST": HOST,
            "PORT": str(inputs.port),
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, [folder, environment.get("PYTHONPATH")])),
        },
        url=url(inputs),
        release=release,
        stop_seconds=20.0,
    )


@dataclass(frozen=True)
class _Value:
    """written  what the spec says: a plain value, or a reference to a file in `secrets/`
    secret, value  the file's name and content, where this step writes the file
    """

    written: str
    secret: str = ""
    value: str = field(default="", repr=False)


def _values(ctx: Context, inputs: Inputs, state: State) -> dict[str, _Value] | None:
    """The environment; None while a generated value is not there. An optional variable without a
    value is left out."""
    values = {}
    for name, given in inputs.environment.items():
        if isinstance(given, str):
            values[name] = _Value(given)
        elif given.kind == "state":
            if state.read_secret(given.name) is None:
                return None
            values[name] = _Value(given.text)
        elif value := _service.reveal(ctx, given):
            secret = f"{NAME}.{name}"
            values[name] = _Value(f"${{state:{secret}}}", secret, value)
    return values


def _named(inputs: Inputs) -> list[str]:
    """The secrets of the state folder that the environment names."""
    given = inputs.environment.values()
    return [v.name for v in given if isinstance(v, Reference) and v.kind == "state"]


def _coming(values: Mapping[str, _Value]) -> dict[str, str]:
    return {value.secret: value.value for value in values.values() if value.secret}


def _generate(inputs: Inputs, state: State) -> None:
    for name in _named(inputs):
        if name not in _MADE:
            state.generate_secret(name)


def _missing(inputs: Inputs, state: State) -> CbctlError:
    missing = sorted(name for name in set(_named(inputs)) if state.read_secret(name) is None)
    return CbctlError(
        f"the API needs what no step has made yet: {', '.join(missing)}",
        exit=Exit.REFUSED,
        fix="run the steps that start database, cache and chain first",
    )


def _code(inputs: Inputs) -> str:
    """The sha256 of what should run."""
    if inputs.artifact and inputs.source is None:
        return inputs.artifact
    if inputs.source is None or inputs.artifact:
        raise CbctlError("give either the source or the artifact of the API", exit=Exit.USAGE)
    package = inputs.module.split(".")[0]
    if inputs.source.name != package:
        raise CbctlError(
            f"the module {inputs.module} cannot be imported from a folder named"
            f" {inputs.source.name}",
            exit=Exit.USAGE,
            where=str(inputs.source),
            fix=f"the last part of the source folder must be {package}",
        )
    return artifacts.tree_sha256(inputs.source)


def _runs(state: State) -> str:
    order = read_order(state, NAME)
    return Path(order.spec.cwd).name if order else ""


STEP = LocalApi()
