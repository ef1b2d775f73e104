"""What the steps that make roles, or give them rights in a copy, have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.roles import (
    Right,
    Role,
    exchange,
    make,
    may_make_roles,
    rights,
    roles,
    too_much,
    wanted,
)
from cbctl.config.types import Reference
from cbctl.engine.step import Change, Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._exchange import Whose

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection


@dataclass(frozen=True, kw_only=True)
class WithRoles(Whose):
    """
    app       URL of the role that the service connects as; app_may: what with tables of migrations
    readonly  URL of the role that reads everything
    """

    app: Reference | None = None
    app_may: tuple[str, ...] = ("select", "insert", "update", "delete")
    readonly: Reference | None = None


@dataclass(frozen=True)
class Member:
    """A role as it is.

    setting   where its URL stands
    role      None: it is not there
    password  whether the one of the URL holds
    """

    setting: str
    name: str
    role: Role | None
    password: bool

    @property
    def changes(self) -> Iterator[Change]:
        if self.role is None or self.role.powers or self.role.member_of:
            yield Change(f"role {self.name}", _more(self.role), "may log in")
        if not self.password:
            before = "another" if self.role else None
            yield Change(f"password of {self.name}", before, f"that of {self.setting}")


def addresses(ctx: Context, inputs: WithRoles) -> dict[str, Address]:
    """By name of the setting; as the owner reaches the database, for a pooler knows no new role.

    Raises CbctlError (64) for URLs that name no roles of their own, or another database."""
    owner = inputs.address(ctx)
    found: dict[str, Address] = {}
    for label, reference in (("app", inputs.app), ("readonly", inputs.readonly)):
        url = ctx.reveal(reference) if reference is not None else None
        if url is None or not url.reveal():
            continue
        setting = f"database.roles.{label}"
        given = parse(url, where=setting)
        if given.database != owner.database:
            raise _wrong(f"it is of the database {given.database}, not {owner.database}", setting)
        if given.user in (owner.user, *(one.user for one in found.values())):
            raise _wrong(f"{given.user} is another role already", setting)
        if not given.password.reveal():
            raise _wrong("it has no password", setting)
        found[label] = replace(owner, user=given.user, password=given.password)
    return found


def may(inputs: WithRoles, theirs: Mapping[str, Address]) -> dict[str, Sequence[str]]:
    """By role, what with tables."""
    given: dict[str, Sequence[str]] = {"app": inputs.app_may, "readonly": ("select",)}
    return {one.user: given[label] for label, one in theirs.items()}


def put_right(admin: Connection, one: Member, address: Address, agreed: Iterable[str]) -> None:
    """Raises psycopg.Error."""
    if {change.what for change in one.changes} & set(agreed):
        make(admin, one.name, one.role, None if one.password else address)


# -- a copy, before it takes the place of the live database -------------------------------------


def missing(
    ctx: Context, inputs: WithRoles, others: Iterable[str] = ()
) -> tuple[tuple[Member, ...], tuple[str, ...], bool]:
    """Roles of the settings that the server does not have, those among `others` that it lacks
    too, and whether we may make roles there."""
    import psycopg

    admin, theirs = inputs.administrator(ctx), addresses(ctx, inputs)
    names = [one.user for one in theirs.values()]
    try:
        with connect(admin) as connection:
            there = roles(connection, [*names, *others])
            may_make = may_make_roles(connection)
    except psycopg.Error as error:
        raise failed(error, admin, "cannot look for roles") from None
    lacking = tuple(
        Member(f"database.roles.{label}", one.user, None, password=False)
        for label, one in theirs.items()
        if one.user not in there
    )
    strangers = sorted(set(others) - set(there) - set(names))
    return lacking, tuple(strangers), may_make


def make_missing(ctx: Context, inputs: WithRoles, agreed: Iterable[str]) -> None:
    import psycopg

    lacking, _, _ = missing(ctx, inputs)
    theirs = {one.user: one for one in addresses(ctx, inputs).values()}
    admin = inputs.administrator(ctx)
    try:
        with connect(admin) as connection:
            for one in lacking:
                ctx.fence()
                put_right(connection, one, theirs[one.name], agreed)
    except psycopg.Error as error:
        raise failed(error, admin, "cannot make the roles of the database") from None


def give_rights(copy: Address, may: Mapping[str, Sequence[str]]) -> None:
    """The rights that the roles have in the live database. Raises CbctlError when they would have
    others then."""
    import psycopg

    def differing(connection: Connection) -> tuple[set[Right], set[Right]]:
        things, have = rights(connection, list(may))
        want = wanted(things, may)
        return want - have, too_much(have, want)

    try:
        with connect(copy) as connection:
            exchange(connection, *differing(connection))
            left = [*differing(connection)[0], *differing(connection)[1]]
    except psycopg.Error as error:
        raise failed(error, copy, "cannot give the roles their rights in the copy") from None
    if left:
        one = sorted(left)[0]
        raise CbctlError(
            f"{len(left)} rights in the copy cannot be put right, such as {one.privilege} on "
            f"{one.kind} {one.title} for {one.role}",
            where=str(copy),
            exit=Exit.FAILED,
            fix="let the role of database.url own everything in the backup",
        )


def _wrong(what: str, setting: str) -> CbctlError:
    fix = "postgresql://ROLE:PASSWORD@HOST/DATABASE, the role its own"
    return CbctlError(what, exit=Exit.USAGE, where=setting, fix=fix)


def _more(role: Role | None) -> str | None:
    if role is None:
        return None
    return ", ".join([*role.powers, *(f"member of {group}" for group in role.member_of)])
