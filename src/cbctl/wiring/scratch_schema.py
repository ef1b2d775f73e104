"""The migrations of an environment, built or tried in a scratch database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from cbctl.clients.postgres import trace as tracing
from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.build import (
    Like,
    applied_ones,
    build,
    like,
    schema_of,
)
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import Marker, Survey, obstacle, reached, survey
from cbctl.clients.postgres.migrations import Migration, read_folder
from cbctl.clients.postgres.schema import Difference, compare_schemas
from cbctl.clients.postgres.trace import Trace
from cbctl.clients.postgres.waiting import Patience
from cbctl.config.types import Reference, Secret
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._scratch import scratch_for
from cbctl.wiring.backups import reference_of
from cbctl.wiring.database import require_reachable
from cbctl.wiring.inside import OnlyInside
from cbctl.wiring.view import view_of
from cbctl.wiring.workplace import Workplace, open_workplace


@dataclass(frozen=True)
class Drift:
    """
    version      highest that is applied in the database
    server, scratch  major versions: the database's, and of the server the migrations were run on
    """

    environment: str
    version: int
    server: int
    scratch: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Looked:
    """An environment's database as it is, and its files."""

    work: Workplace
    address: Address
    found: Survey
    like: Like
    migrations: tuple[Migration, ...]

    @property
    def applied(self) -> tuple[Migration, ...]:
        return applied_ones(self.migrations, self.found.applied)


def verify(config: str | None, env: str | None, on: str | None) -> Drift:
    """Raises CbctlError: 7 where it cannot be known what the migrations build."""
    looked = look(config, env, on)
    with _scratch(looked, on) as (place, major):
        build(place, looked.applied, Patience())
        built = schema_of(place)
    live = schema_of(looked.address)
    return Drift(
        looked.work.env.name,
        reached(looked.found.applied),
        looked.like.major,
        major,
        tuple(compare_schemas(built, live, same_major=major == looked.like.major)),
    )


def trace(config: str | None, env: str | None, on: str | None) -> list[Trace]:
    """What is not applied yet, on top of what is. Raises CbctlError: 1 where one fails."""
    looked = look(config, env, on)
    applied = looked.applied
    pending = [migration for migration in looked.migrations if migration not in applied]
    if not pending:
        return []
    with _scratch(looked, on) as (place, _):
        build(place, applied, Patience())
        return list(tracing.trace(place, pending))


def look(config: str | None, env: str | None, on: str | None) -> Looked:
    """Raises CbctlError: 7 for a database that is another's; OnlyInside, or 64 where `on` names a
    server that is known here alone."""
    work = open_workplace(config, env, create=True, chain=True)
    try:
        require_reachable(work)
    except OnlyInside:
        if on is None:
            raise
        raise CbctlError(
            "this database is reached only from inside its cluster (access: in-cluster), where a "
            "variable of this machine is not known",
            exit=Exit.USAGE,
            where="--on",
            fix="leave it out: a scratch server is started there, and thrown away",
        ) from None
    url = view_of(work)["database"]["connection"]
    text = work.world.reveal(url) if isinstance(url, Reference) else Secret(url)
    address = parse(text, where=f"{work.env.name}: database.url")
    with connect(address) as connection:
        found = survey(connection, address)
    marker = Marker(work.env.platform, work.env.name)
    if reason := obstacle(found, marker, create_marker=work.env.is_local):
        raise CbctlError(reason[0], exit=Exit.REFUSED, where=str(address), fix=reason[1])
    return Looked(work, address, found, like(address), read_folder(work.env.migrations.folder))


def _scratch(looked: Looked, on: str | None) -> AbstractContextManager[tuple[Address, int]]:
    """on: `env:NAME` of a server to make it on; None: on one of its own, thrown away"""
    server = parse(looked.work.world.reveal(reference_of(on)), where="--on") if on else None
    return scratch_for(looked.work.state, looked.like, server)
