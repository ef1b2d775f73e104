"""What the steps that exchange databases have in common: whose they are, what they are called."""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass, replace
from typing import Final

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.connect import DatabaseDown, connect
from cbctl.clients.postgres.databases import beyond_us, name_with, not_to_be_ended, noted
from cbctl.clients.postgres.ledger import Marker, foreign, is_pooled, reached, survey
from cbctl.config.types import Reference
from cbctl.engine.step import Blocked, Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._database import address_of

MAINTENANCE: Final = "postgres"
RESTORED: Final = "cbctl: restored from "
_SINCE: Final = " since "
_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Whose:
    """
    url        of the role that owns the schema: it is to own what is restored
    admin      URL of a role that may create databases; None: see superuser
    superuser  password of the superuser of a server that cbctl runs itself; None: `url` has to do
    """

    url: Reference
    platform: str
    environment: str
    admin: Reference | None = None
    superuser: Reference | None = None

    @property
    def marker(self) -> Marker:
        return Marker(self.platform, self.environment)

    def restoring(self, live: str) -> str:
        """How the comment on a database begins that is only half there; the time follows."""
        return f"cbctl: being restored as {live} of {self.marker}"

    def replaced(self, live: str) -> str:
        """How the comment on a database begins that was put aside."""
        return f"cbctl: was {live} of {self.marker} until "

    def address(self, ctx: Context) -> Address:
        return address_of(ctx, self.url)

    def administrator(self, ctx: Context) -> Address:
        live = replace(self.address(ctx), database=MAINTENANCE)
        if self.admin is not None:
            admin = parse(ctx.reveal(self.admin), where="database.admin")
            if (admin.host, admin.port) != (live.host, live.port):
                raise CbctlError(
                    f"database.admin is of another server ({admin}) than database.url ({live})",
                    exit=Exit.USAGE,
                    where=self.environment,
                    fix="name a role of the same server",
                )
            return admin
        if self.superuser is None:
            return live
        return replace(live, user="postgres", password=ctx.reveal(self.superuser))


@dataclass(frozen=True)
class Live:
    """The database that has the name now.

    there    whether any has; marker: whose it is; version: of its schema
    pooled   a pooler in transaction mode is between cbctl and Postgres
    admin    the role that would end its sessions; beyond: those that it may not
    """

    name: str
    there: bool
    server: int
    marker: Marker | None
    version: int = 0
    pooled: bool = False
    admin: str = ""
    beyond: tuple[str, ...] = ()


def look(ctx: Context, inputs: Whose) -> Live:
    address, admin = inputs.address(ctx), inputs.administrator(ctx)
    with connect(admin) as connection:
        server = connection.info.server_version // 10_000
        pooled = is_pooled(connection, admin)
    lost = Live(address.database, False, server, None, pooled=pooled, admin=admin.user)
    try:
        with connect(address) as connection:
            found = survey(connection, address)
    except DatabaseDown as error:
        if error.kind != "no such database":
            raise
        return lost
    return replace(
        lost,
        there=True,
        marker=found.marker,
        version=reached(found.applied),
        pooled=pooled or found.pooled,
        beyond=beyond_us(admin, address.database),
    )


def obstacle(
    live: Live, inputs: Whose, named: str, *, restore: str = "cbctl db restore"
) -> Blocked | None:
    """Why a live database may not be exchanged.

    named    what the operator typed
    restore  the command that may do something else
    """
    if live.marker is not None and live.marker != inputs.marker:
        error = foreign(live.marker, inputs.marker)
        return Blocked(error.what, error.fix)
    if named and named != live.name:
        return Blocked(
            f"this environment's database is called {live.name}, not {named}",
            f"--replace {live.name}, if that is the one that is meant",
        )
    if live.there and not named:
        return Blocked(
            f"the database {live.name} is live",
            f"--replace {live.name} puts the other one in its place and keeps it beside; "
            f"{restore} --into NAME only restores beside it",
        )
    if live.beyond:
        return Blocked(*not_to_be_ended(live.name, live.beyond, live.admin))
    return through_pooler(live)


def through_pooler(live: Live) -> Blocked | None:
    if not live.pooled:
        return None
    return Blocked(
        "a connection pooler in transaction mode is between cbctl and Postgres; a restore cannot "
        "work through it",
        "use the URL of the database itself",
    )


def stamped(ctx: Context, name: str, word: str) -> str:
    """`shop_replaced_20261126t201500123`: to the millisecond, for two may be made in a second."""
    seconds, part = divmod(ctx.wall(), 1)
    now = time.strftime("%Y%m%dt%H%M%S", time.gmtime(seconds))
    return name_with(name, f"_{word}_{now}{int(part * 1000):03d}")


def begun(ctx: Context) -> str:
    """The end of the comment on a database that is half there."""
    return f"{_SINCE}{time.strftime(_STAMP, time.gmtime(ctx.wall()))}"


def unfinished(ctx: Context, inputs: Whose) -> dict[str, float]:
    """Databases that are half there, and since when; one that does not say it is of today."""
    beginning = inputs.restoring(inputs.address(ctx).database) + _SINCE
    found = noted(inputs.administrator(ctx), beginning)
    return {name: _time(said.removeprefix(beginning), ctx.wall()) for name, said in found.items()}


def _time(stamp: str, otherwise: float) -> float:
    try:
        return calendar.timegm(time.strptime(stamp, _STAMP))
    except ValueError:
        return otherwise


def put_aside(ctx: Context, inputs: Whose) -> list[str]:
    """What was replaced in this environment, the oldest first: their names end with the time.

    Only what one of our own roles owns: whoever may make databases may give his such a comment."""
    address, admin = inputs.address(ctx), inputs.administrator(ctx)
    live = address.database
    found = noted(admin, inputs.replaced(live), owners=(address.user, admin.user))
    return sorted(found.keys() - {live}, key=lambda name: name.rpartition("_")[2])
