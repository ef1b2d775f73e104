"""Who looks at the sessions of a database, and ends them: database.admin where he can be had, for
he may see and end what the owner of the schema may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.clients import Client, clients, process
from cbctl.clients.postgres.connect import connect
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._exchange import Whose

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection


@dataclass(frozen=True)
class Watch:
    """
    live  the database whose sessions they are
    role  that looks; ours: the roles that runs of cbctl have
    """

    connection: Connection
    live: Address
    role: str
    ours: frozenset[str]

    def clients(self) -> tuple[Client, ...]:
        return clients(self.connection, self.live)

    def process(self, pid: int) -> str:
        return process(self.connection, pid)

    def is_ours(self, one: Client) -> bool:
        """Another run at work; not somebody who only calls himself so."""
        return one.is_cbctl and one.user in self.ours


@contextmanager
def watching(ctx: Context, inputs: Whose) -> Iterator[Watch]:
    """Raises CbctlError as connecting does."""
    live = inputs.address(ctx)
    ways = [*_of_administrator(ctx, inputs, live), live]
    for way in ways:
        try:
            connection = connect(way)
        except CbctlError as error:
            # he may be kept out of this database, or his password be another by now
            if way is live or error.exit is not Exit.CREDENTIALS:
                raise
            continue
        with connection:
            yield Watch(connection, live, way.user, frozenset(one.user for one in ways))
        return


def _of_administrator(ctx: Context, inputs: Whose, live: Address) -> list[Address]:
    """In the database itself, where the names of its tables are known; else in his own."""
    if inputs.admin is None and inputs.superuser is None:
        return []
    admin = inputs.administrator(ctx)
    return [replace(admin, database=live.database), admin]
