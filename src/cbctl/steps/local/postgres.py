"""local.postgres: a database on this machine, our own or a given one."""

from __future__ import annotations

from dataclasses import dataclass

from cbctl.config.types import Reference, Secret
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
from cbctl.local import postgres
from cbctl.local.ports import HOST, Ports
from cbctl.local.services import Services
from cbctl.steps.local import _service
from cbctl.steps.local._server import Served, Server, at_most, plan

SETTING = "the database's url"
WORDS = ("postgres", "database files", "database address")


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    url           a database that is there already; unset, or a reference that reveals an empty
                  value: one of our own
    allow_remote  the url may lead to another machine
    database      name of the database that is made; the platform's by default
    user          its superuser
    port          of our own; any free one by default
    """

    platform: str
    env: str
    url: Reference | str | None = None
    allow_remote: bool = False
    database: str = ""
    user: str = "postgres"
    port: int | None = None

    @property
    def name(self) -> str:
        return self.database or self.platform.replace("-", "_")


class LocalPostgres(Step[Inputs, Server, Served]):
    inputs = Inputs
    summary = "Run Postgres on this machine"
    at_most = at_most(*WORDS)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Server]:
        services = _service.open_services(inputs.platform, inputs.env)
        own, evidence = _service.look(services, postgres.NAME)
        url = _service.reveal(ctx, inputs.url)
        if url:
            return self._given(inputs, services, own, url)
        state = services.state
        binary = postgres.choose(state)
        blocked = fix = ""
        port = inputs.port or Ports(state).stored(postgres.NAME)
        if inputs.port and not own.answers:
            try:
                Ports(state).check(postgres.NAME, inputs.port)
            except CbctlError as error:
                blocked, fix = _service.blocker(error)
        wanted, linked = "", False
        if port is not None:
            spec = postgres.spec(state, binary, database=inputs.name, port=port)
            wanted = spec.sealed(state).hash
            linked = state.read_secret(postgres.URL) == self._own_url(inputs, services, port)
        facts = Server(
            kind=binary.kind,
            address=f"{HOST}:{port}" if port else "",
            major=binary.major,
            data=postgres.data_major(state) is not None,
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
        return _service.previous(services, postgres.NAME)

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Served:
        services = _service.open_services(inputs.platform, inputs.env)
        ctx.fence()
        url = _service.reveal(ctx, inputs.url)
        if url:
            _check(inputs, url)
            services.state.write_secret(postgres.URL, url)
            services.stop(postgres.NAME)
        else:
            if postgres.data_major(services.state) is None:
                ctx.progress("making the files of the database")
            spec = postgres.service(
                services.state,
                database=inputs.name,
                user=inputs.user,
                port=inputs.port,
                release=ctx.run,
            )
            _service.start(ctx, services, spec)
        return self.outcome(ctx, inputs, self.observe(ctx, inputs).facts)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Server) -> Served:
        state = _service.open_services(inputs.platform, inputs.env).state
        link = state.digest(postgres.URL, state.secret(postgres.URL))
        return Served(facts.kind, facts.address, facts.major, link)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        services = _service.open_services(inputs.platform, inputs.env)
        url = _service.reveal(ctx, inputs.url)
        if not url:
            return _service.verify(services, postgres.NAME)
        if services.state.read_secret(postgres.URL) != url:
            return NotVerified("the services of this machine use another database")
        try:
            return Verified({"version": _ping(url)})
        except CbctlError as error:
            return NotVerified(str(error), error.fix)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        services = _service.open_services(inputs.platform, inputs.env)
        port = Ports(services.state).stored(postgres.NAME)
        if isinstance(intent, dict) and intent.get("previous") and port is not None:
            own = self._own_url(inputs, services, port)
            if own is not None:
                services.state.write_secret(postgres.URL, own)
        return _service.undo(ctx, services, postgres.NAME, intent)

    def _own_url(self, inputs: Inputs, services: Services, port: int) -> str | None:
        password = services.state.read_secret(postgres.PASSWORD)
        if password is None:
            return None
        return postgres.own_url(password, database=inputs.name, user=inputs.user, port=port)

    def _given(
        self, inputs: Inputs, services: Services, own: _service.Running, url: str
    ) -> Observation[Server]:
        address = _check(inputs, url)
        version, blocked, fix = "", "", ""
        try:
            version = _ping(url)
        except CbctlError as error:
            blocked = f"the database at {address.shown} cannot be used: {error.what}"
            fix = error.fix
        linked = services.state.read_secret(postgres.URL) == url
        major = int(version.split(".")[0]) if version[:1].isdigit() else 0
        data = postgres.data_major(services.state) is not None
        facts = Server("given", address.shown, major, data, own, "", linked, blocked, fix)
        return Observation(facts, {"version": version})


def _check(inputs: Inputs, url: str) -> addresses.Address:
    schemes = ("postgresql", "postgres")
    where = inputs.url.setting if isinstance(inputs.url, Reference) else ""
    return addresses.parse(
        url, where or SETTING, schemes=schemes, port=5432, allow_remote=inputs.allow_remote
    )


def _ping(url: str) -> str:
    from cbctl.clients.postgres.connect import ping

    return ping(Secret(url))


STEP = LocalPostgres()
