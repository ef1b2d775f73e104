"""local.redis: a cache on this machine, our own or a given one."""

from __future__ import annotations

from dataclasses import dataclass

from cbctl.config.types import Reference
from cbctl.engine.step import (
    CannotUndo,
    Change,
    Context,
    Json,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError
from cbctl.local import address as addresses
from cbctl.local import probes, redis
from cbctl.local.ports import HOST, Ports
from cbctl.local.services import Services
from cbctl.steps.local import _service
from cbctl.steps.local._server import Served, Server, at_most, plan

SETTING = "the cache's url"
WORDS = ("redis", "cache files", "cache address")


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    url           a Redis that is there already; unset, or a reference that reveals an empty
                  value: one of our own
    allow_remote  the url may lead to another machine
    port          of our own; any free one by default
    """

    platform: str
    env: str
    url: Reference | str | None = None
    allow_remote: bool = False
    port: int | None = None


class LocalRedis(Step[Inputs, Server, Served]):
    inputs = Inputs
    summary = "Run Redis on this machine"
    at_most = at_most(*WORDS)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Server]:
        services = _service.open_services(inputs.platform, inputs.env)
        own, evidence = _service.look(services, redis.NAME)
        url = _service.reveal(ctx, inputs.url)
        if url:
            return self._given(inputs, services, own, url)
        state = services.state
        binary = redis.choose(state)
        blocked = fix = ""
        port = inputs.port or Ports(state).stored(redis.NAME)
        if inputs.port and not own.answers:
            try:
                Ports(state).check(redis.NAME, inputs.port)
            except CbctlError as error:
                blocked, fix = _service.blocker(error)
        wanted, linked = "", False
        password = state.read_secret(redis.PASSWORD)
        if port is not None and password is not None:
            wanted = redis.spec(state, binary, port=port).sealed(state).hash
            linked = state.read_secret(redis.URL) == redis.own_url(password, port)
        facts = Server(
            kind=binary.kind,
            address=f"{HOST}:{port}" if port else "",
            major=binary.major,
            data=redis.has_data(state),
            own=own,
            wanted=wanted,
            linked=linked,
            blocked=blocked,
            fix=fix,
        )
        return Observation(facts, {**evidence, "program": str(binary.path)})

    def plan(self, inputs: Inputs, facts: Server) -> PlanVerdict:
        return plan(*WORDS, facts)

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        services = _service.open_services(inputs.platform, inputs.env)
        return _service.previous(services, redis.NAME)

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Served:
        services = _service.open_services(inputs.platform, inputs.env)
        ctx.fence()
        url = _service.reveal(ctx, inputs.url)
        if url:
            _check(inputs, url)
            services.state.write_secret(redis.URL, url)
            services.stop(redis.NAME)
        else:
            spec = redis.service(services.state, port=inputs.port, release=ctx.run)
            _service.start(ctx, services, spec)
        return self.outcome(ctx, inputs, self.observe(ctx, inputs).facts)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Server) -> Served:
        state = _service.open_services(inputs.platform, inputs.env).state
        link = state.digest(redis.URL, state.secret(redis.URL))
        return Served(facts.kind, facts.address, facts.major, link)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        services = _service.open_services(inputs.platform, inputs.env)
        url = _service.reveal(ctx, inputs.url)
        if not url:
            return _service.verify(services, redis.NAME)
        if services.state.read_secret(redis.URL) != url:
            return NotVerified("the services of this machine use another Redis")
        said = _login(_check(inputs, url))
        return NotVerified(f"it does not answer: {said}") if said else Verified()

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        services = _service.open_services(inputs.platform, inputs.env)
        state = services.state
        port, password = Ports(state).stored(redis.NAME), state.read_secret(redis.PASSWORD)
        was_own = isinstance(intent, dict) and intent.get("previous")
        if was_own and port is not None and password is not None:
            state.write_secret(redis.URL, redis.own_url(password, port))
        return _service.undo(ctx, services, redis.NAME, intent)

    def _given(
        self, inputs: Inputs, services: Services, own: _service.Running, url: str
    ) -> Observation[Server]:
        address = _check(inputs, url)
        said = _login(address)
        facts = Server(
            kind="given",
            address=address.shown,
            major=0,
            data=redis.has_data(services.state),
            own=own,
            wanted="",
            linked=services.state.read_secret(redis.URL) == url,
            blocked=f"the Redis at {address.shown} cannot be used: {said}" if said else "",
            fix="start it, or correct its URL" if said else "",
        )
        return Observation(facts)


def _check(inputs: Inputs, url: str) -> addresses.Address:
    where = inputs.url.setting if isinstance(inputs.url, Reference) else ""
    return addresses.parse(
        url,
        where or SETTING,
        schemes=("redis", "rediss"),
        port=6379,
        allow_remote=inputs.allow_remote,
    )


def _login(address: addresses.Address) -> str:
    try:
        return probes.redis_login(address)
    except OSError as error:
        return str(error) or type(error).__name__


STEP = LocalRedis()
