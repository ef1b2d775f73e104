"""What local.postgres and local.redis have in common: a server of ours, or one that was given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

from cbctl.config.types import Reference
from cbctl.config.urls import is_loopback
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.local.binaries import Binary
from cbctl.local.files import set_aside
from cbctl.local.ports import HOST, Ports
from cbctl.local.services import Services
from cbctl.local.spec import ServiceSpec
from cbctl.local.state import State
from cbctl.steps.local import _service


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    url           a server that is there already; unset, or a reference that reveals an empty
                  value: one of our own
    allow_remote  the url may lead to another machine
    port          of our own; any free one by default
    """

    platform: str
    env: str
    url: Reference | str | None = None
    allow_remote: bool = False
    port: int | None = None


@dataclass(frozen=True)
class Facts:
    """
    kind     system or wheel: whose program it is; given: it is somebody else's
    address  where it is, as it may be shown; "" when that is chosen when it starts
    major    major version of the program, or of the given server (0: not known)
    data     there is data of ours
    own      the process of our own
    wanted   hash of the spec that should run; "" when it cannot be known before it is made
    linked   the secret that leads to the server leads to this one
    lacks    what the data of ours needs before the server may be used; "" when nothing
    blocked  why it cannot be done, and what helps
    """

    kind: str
    address: str
    major: int
    data: bool
    own: _service.Running
    wanted: str
    linked: bool
    lacks: str = ""
    blocked: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Outcome:
    """`link` changes whenever what the secret says changes, so that a later step that takes it as
    an input is planned again."""

    kind: str
    address: str
    major: int
    link: str


I = TypeVar("I", bound=Inputs)  # noqa: E741 - as in engine.step


def at_most(service: str, noun: str) -> tuple[str, ...]:
    return (f"{noun} files", *_service.at_most(service), f"{noun} address")


class ServerStep(_service.ServiceStep[I, Facts, Outcome]):
    """A step on one kind of server; subclasses say what is particular to it.

    secret  name of the secret that leads to the server
    noun    what the server is for the platform: database, cache
    """

    secret: ClassVar[str]
    noun: ClassVar[str]

    def _shown(self, url: str, where: str) -> str:
        """Where the URL leads, as it may be shown. Raises CbctlError (64), which quotes nothing."""
        raise NotImplementedError

    def _ping(self, url: str) -> str:
        """The version of the server. Raises CbctlError."""
        raise NotImplementedError

    def _choose(self, state: State) -> Binary:
        raise NotImplementedError

    def _data(self, state: State) -> Path:
        """Where our own server keeps what it holds."""
        raise NotImplementedError

    def _has_data(self, state: State) -> bool:
        raise NotImplementedError

    def _own_url(self, inputs: I, state: State, port: int) -> str | None:
        """None while there is no password."""
        raise NotImplementedError

    def _lacks(self, inputs: I, state: State) -> str:
        return ""

    def _spec(self, inputs: I, state: State, binary: Binary, port: int) -> ServiceSpec:
        raise NotImplementedError

    def _make(self, ctx: Context, inputs: I, state: State) -> ServiceSpec:
        """Makes what our own server needs; tells what is to run."""
        raise NotImplementedError

    def observe(self, ctx: Context, inputs: I) -> Observation[Facts]:
        services = self.services(inputs)
        state = services.state
        own, evidence = _service.look(services, self.name)
        url = _service.reveal(ctx, inputs.url)
        if url:
            return self._given(inputs, services, own, url)
        binary = self._choose(state)
        port = inputs.port or Ports(state).stored(self.name)
        blocked = fix = ""
        if inputs.port and not own.answers:
            blocked, fix = _service.taken(services, self.name, inputs.port)
        wanted, linked = "", False
        if port is not None and (own_url := self._own_url(inputs, state, port)) is not None:
            wanted = self._spec(inputs, state, binary, port).sealed(state).hash
            linked = state.read_secret(self.secret) == own_url
        facts = Facts(
            kind=binary.kind,
            address=f"{HOST}:{port}" if port else "",
            major=binary.major,
            data=self._has_data(state),
            own=own,
            wanted=wanted,
            linked=linked,
            lacks=self._lacks(inputs, state),
            blocked=blocked,
            fix=fix,
        )
        return Observation(facts, {**evidence, "program": str(binary.path)})

    def plan(self, inputs: I, facts: Facts) -> PlanVerdict:
        if facts.blocked:
            return Blocked(facts.blocked, facts.fix)
        changes: list[Change] = []
        if facts.kind == "given":
            if facts.own.spec:
                changes.append(Change(self.name, "running", "stopped"))
        else:
            if not facts.data:
                made = f"version {facts.major} ({facts.kind})"
                changes.append(Change(f"{self.noun} files", None, made))
            elif facts.lacks:
                changes.append(Change(facts.lacks, None, "made"))
            changes += _service.differences(self.name, facts.own, facts.wanted)
        if not facts.linked:
            where = facts.address or "chosen when it starts"
            changes.append(Change(f"{self.noun} address", None, where))
        return Changes(tuple(changes)) if changes else Nothing("it runs and answers")

    def apply(self, ctx: Context, inputs: I, changes: tuple[Change, ...], intent: Json) -> Outcome:
        services = self.services(inputs)
        ctx.fence()
        url = _service.reveal(ctx, inputs.url)
        if url:
            self._checked(inputs, url)
            services.state.write_secret(self.secret, url)
            services.stop(self.name)
        else:
            self._start(ctx, services, self._make(ctx, inputs, services.state))
        return self.outcome(ctx, inputs, self.observe(ctx, inputs).facts)

    def _start(self, ctx: Context, services: Services, spec: ServiceSpec) -> None:
        try:
            _service.start(ctx, services, spec)
        except CbctlError as error:
            if error.exit in (Exit.FAILED, Exit.TIMEOUT):
                error.fix = self._with_way_out(services, error.fix)
            raise

    def _with_way_out(self, services: Services, fix: str) -> str:
        """What helps where a server does not live: what it reads may be damaged."""
        empty = f"an empty {self.noun}: {set_aside(self._data(services.state))}"
        return f"{fix}; if its data is damaged, bring back a copy, or start with {empty}"

    def outcome(self, ctx: Context, inputs: I, facts: Facts) -> Outcome:
        state = self.services(inputs).state
        link = state.digest(self.secret, state.secret(self.secret))
        return Outcome(facts.kind, facts.address, facts.major, link)

    def verify(self, ctx: Context, inputs: I) -> Verdict:
        services = self.services(inputs)
        url = _service.reveal(ctx, inputs.url)
        if not url:
            verdict = _service.verify(services, self.name)
            if (
                isinstance(verdict, NotVerified)
                and not _service.look(services, self.name)[0].answers
            ):
                # It was ready and ended, or never comes back.
                return replace(verdict, fix=self._with_way_out(services, verdict.fix))
            return verdict
        if services.state.read_secret(self.secret) != url:
            return NotVerified(f"the services of this machine use another {self.noun}")
        try:
            return Verified({"version": self._ping(url)})
        except CbctlError as error:
            return NotVerified(str(error), error.fix)

    def undo(self, ctx: Context, inputs: I, before: Json, intent: Json) -> CannotUndo | None:
        state = self.services(inputs).state
        port = Ports(state).stored(self.name)
        own = self._own_url(inputs, state, port) if port is not None else None
        if isinstance(intent, dict) and intent.get("previous") and own is not None:
            state.write_secret(self.secret, own)
        return super().undo(ctx, inputs, before, intent)

    def _given(
        self, inputs: I, services: Services, own: _service.Running, url: str
    ) -> Observation[Facts]:
        address = self._checked(inputs, url)
        version, blocked, fix = "", "", ""
        try:
            version = self._ping(url)
        except CbctlError as error:
            blocked = f"the {self.noun} at {address} cannot be used: {error.what}"
            fix = error.fix
        facts = Facts(
            kind="given",
            address=address,
            major=int(version.split(".")[0]) if version[:1].isdigit() else 0,
            data=self._has_data(services.state),
            own=own,
            wanted="",
            linked=services.state.read_secret(self.secret) == url,
            blocked=blocked,
            fix=fix,
        )
        return Observation(facts, {"version": version})

    def _checked(self, inputs: I, url: str) -> str:
        """Like `_shown`; refused when it leads to another machine and must not."""
        setting = inputs.url.setting if isinstance(inputs.url, Reference) else ""
        setting = setting or f"the {self.noun}'s url"
        address = self._shown(url, setting)
        if inputs.allow_remote or is_loopback(url):
            return address
        raise CbctlError(
            f"it leads to another machine ({address}), and this environment is local",
            exit=Exit.REFUSED,
            where=setting,
            fix="use 127.0.0.1, remove its value to have one started here, or set"
            " allow_remote: true beside it in cbctl.yaml",
        )
