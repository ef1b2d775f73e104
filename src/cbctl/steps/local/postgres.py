"""local.postgres: a database on this machine, our own or a given one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.postgres import address
from cbctl.config.types import Secret
from cbctl.config.urls import at
from cbctl.engine.step import Context
from cbctl.local import postgres
from cbctl.local.binaries import Binary
from cbctl.local.services import Services
from cbctl.local.spec import ServiceSpec
from cbctl.local.state import State
from cbctl.steps.local import _server


@dataclass(frozen=True)
class Inputs(_server.Inputs):
    """As of every server, and of our own:

    database  its name; the platform's by default
    user      the role that owns it; named like the platform by default
    """

    database: str = ""
    user: str = ""

    @property
    def name(self) -> str:
        return self.database or self.platform.replace("-", "_")

    @property
    def role(self) -> str:
        return self.user or self.platform.replace("-", "_")


ROLE = "database role"


class LocalPostgres(_server.ServerStep[Inputs]):
    inputs = Inputs
    summary = "Run Postgres on this machine"
    name, secret, noun = postgres.NAME, postgres.URL, "database"
    at_most = (*_server.at_most(name, noun), ROLE)

    def _shown(self, url: str, where: str) -> str:
        found = address.parse(url, where=where)
        return f"postgresql://{at(found.host, found.port)}"

    def _ping(self, url: str) -> str:
        from cbctl.clients.postgres.connect import ping

        return ping(Secret(url))

    def _choose(self, state: State) -> Binary:
        return postgres.choose(state)

    def _data(self, state: State) -> Path:
        return postgres.data_folder(state)

    def _has_data(self, state: State) -> bool:
        return postgres.data_major(state) is not None

    def _own_url(self, inputs: Inputs, state: State, port: int) -> str | None:
        if self._lacks(inputs, state):
            return None
        password = state.secret(postgres.PASSWORD)
        return postgres.own_url(password, database=inputs.name, user=inputs.role, port=port)

    def _lacks(self, inputs: Inputs, state: State) -> str:
        known = postgres.has_role(state, database=inputs.name, user=inputs.role)
        return "" if known else ROLE

    def _spec(self, inputs: Inputs, state: State, binary: Binary, port: int) -> ServiceSpec:
        return postgres.spec(state, binary, database=inputs.name, port=port)

    def _make(self, ctx: Context, inputs: Inputs, state: State) -> ServiceSpec:
        if not self._has_data(state):
            ctx.progress("making the files of the database")
        elif self._lacks(inputs, state):
            ctx.progress("giving the database to a role that is no superuser; it stops meanwhile")
            Services(state).stop(self.name)
        return postgres.service(
            state, database=inputs.name, user=inputs.role, port=inputs.port, release=ctx.run
        )


STEP = LocalPostgres()
