"""`db.roles`: makes the roles that own nothing of the database, or puts them right.

What they may do is said for what is there and for what later migrations make. The password is the
one that the environment's secret has: nobody else thinks one up, and it is sent as its verifier.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.clients import Client, clients
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.ledger import Marker, foreign, survey
from cbctl.clients.postgres.roles import (
    EVERYBODY,
    Right,
    connected_as_anybody,
    exchange,
    may_make_roles,
    owns_database,
    password_holds,
    rights,
    roles,
    too_much,
    wanted,
)
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
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._roles import Member, WithRoles, addresses, may, put_right

_SHOWN = 3
"""Titles that a plan names; of the others it says how many."""


Inputs = WithRoles


@dataclass(frozen=True)
class Facts:
    """
    marker         whose database it is; migrated: whether it has been migrated
    owns_database  whether our role may say who connects; may_make_roles: or that of database.admin
    give, take     what the roles lack and what they, or everybody, have too much
    """

    marker: Marker | None
    migrated: bool
    owns_database: bool
    may_make_roles: bool
    members: tuple[Member, ...]
    give: tuple[Right, ...]
    take: tuple[Right, ...]


@dataclass(frozen=True)
class Outcome:
    """
    changed    what was made or put right
    logged_in  sessions that began with a password which is another now, and how to end them
    """

    changed: tuple[str, ...] = ()
    logged_in: tuple[str, ...] = ()


class Roles(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Makes the roles of the database, or puts them right"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        import psycopg

        address, theirs = inputs.address(ctx), _named(ctx, inputs)
        names = [one.user for one in theirs.values()]
        try:
            with connect(inputs.administrator(ctx)) as admin:
                may_make = may_make_roles(admin)
            with connect(address) as connection:
                found = survey(connection, address)
                there = roles(connection, names)
                things, have = rights(connection, names)
                owns = owns_database(connection)
                anybody = connected_as_anybody(connection, [address.user, *names])
                sessions = clients(connection, address)
        except psycopg.Error as error:
            raise failed(error, address, "cannot read roles and rights") from None
        members = tuple(
            Member(
                f"database.roles.{label}",
                one.user,
                there.get(one.user),
                one.user in there and password_holds(one),
            )
            for label, one in theirs.items()
        )
        want = wanted(things, may(inputs, theirs))
        take = too_much(have, want)
        notes = list(_logged_in(sessions, members, inputs))
        if anybody and any(one.kind == "database" for one in take):
            notes.append(
                f"connected now, and not again unless CONNECT is granted: {', '.join(anybody)}"
            )
        evidence: dict[str, Json] = {"notes": "; ".join(notes)} if notes else {}
        facts = Facts(
            marker=found.marker,
            migrated=found.table == "ours",
            owns_database=owns,
            may_make_roles=may_make,
            members=members,
            give=tuple(sorted(want - have)),
            take=tuple(sorted(take)),
        )
        return Observation(facts, evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.marker is not None and facts.marker != inputs.marker:
            error = foreign(facts.marker, inputs.marker)
            return Blocked(error.what, error.fix)
        if not facts.migrated:  # else the role of the service would be given what cbctl keeps
            return Blocked("this database was never migrated", "cbctl db migrate")
        for one in facts.members:
            if one.role is not None and one.role.owns:
                return Blocked(
                    f"{one.name} owns {one.role.owns} things here, so that it may do anything with"
                    " them",
                    f"give them to the owner of the schema: REASSIGN OWNED BY {one.name} TO …",
                )
        if not facts.owns_database:
            return Blocked(
                "the role of database.url does not own the database, so it cannot say who connects",
                "ALTER DATABASE … OWNER TO it, as an administrator",
            )
        of_roles = [change for one in facts.members for change in one.changes]
        if of_roles and not facts.may_make_roles:
            return Blocked(
                f"{', '.join(change.what for change in of_roles)}: our role may not make or change"
                " roles",
                "name one that may (CREATEROLE): database.admin in cbctl.yaml",
            )
        changes = (*of_roles, *_of_rights(facts))
        return Changes(changes) if changes else Nothing("the roles are as they should be")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        import psycopg

        agreed = {change.what for change in changes}
        address = inputs.address(ctx)
        facts = self.observe(ctx, inputs).facts
        theirs = {one.user: one for one in addresses(ctx, inputs).values()}
        ctx.fence()
        try:
            with connect(inputs.administrator(ctx)) as admin:
                for one in facts.members:
                    put_right(admin, one, theirs[one.name], agreed)
            with connect(address) as connection:
                ctx.fence()
                exchange(
                    connection,
                    [one for one in facts.give if _what(one) in agreed],
                    [one for one in facts.take if _what(one) in agreed],
                )
                still = tuple(_logged_in(clients(connection, address), facts.members, inputs))
        except psycopg.errors.LockNotAvailable:
            raise CbctlError(
                "somebody holds a lock on what is to be given or taken",
                exit=Exit.TIMEOUT,
                where=str(address),
                fix="cbctl db sessions shows who; then run it again",
            ) from None
        except psycopg.Error as error:
            raise failed(error, address, "cannot put roles and rights right") from None
        return Outcome(tuple(change.what for change in changes), still)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome()

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        match self.plan(inputs, self.observe(ctx, inputs).facts):
            case Nothing(because):
                return Verified({"roles": because})
            case Blocked(why, fix):
                return NotVerified(why, fix)
            case Changes(changes):
                left = "; ".join(f"{one.what}: {one.before} → {one.after}" for one in changes)
                return NotVerified(
                    f"not as it should be: {left}",
                    "what somebody else gave, only he or a superuser takes back; a password that "
                    "was set and does not hold is asked for in another way (pg_hba.conf)",
                )
        return Verified()

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("roles and rights stay: the next run finds what is right already")


def _logged_in(
    sessions: Iterable[Client], members: Iterable[Member], inputs: Inputs
) -> Iterator[str]:
    """Of roles that get another password: who is in with the old one stays in."""
    connected = Counter(one.user for one in sessions)
    for one in members:
        if one.role is not None and not one.password and (number := connected[one.name]):
            stay = "session stays" if number == 1 else "sessions stay"
            role = shlex.quote(one.name)
            yield (
                f"{number} {stay} logged in as {one.name} with the password before: "
                f"cbctl db kill --user {role} --env {inputs.environment}"
            )


def _named(ctx: Context, inputs: Inputs) -> dict[str, Address]:
    """Raises CbctlError (64) where none are, and as `addresses` does."""
    if found := addresses(ctx, inputs):
        return found
    raise CbctlError(
        "cbctl.yaml names no roles",
        exit=Exit.USAGE,
        where="database.roles",
        fix="set app and readonly, each a reference to a URL with a role and a password",
    )


def _what(one: Right) -> str:
    who = "everybody" if one.role == EVERYBODY else one.role
    return f"{who} on {'this ' if one.kind == 'database' else ''}{one.kind}"


def _of_rights(facts: Facts) -> Iterator[Change]:
    for what in sorted({_what(one) for one in (*facts.give, *facts.take)}):
        before = _words(one for one in facts.take if _what(one) == what)
        after = _words(one for one in facts.give if _what(one) == what)
        yield Change(what, f"also {before}" if before else None, after or "not that")


def _words(found: Iterable[Right]) -> str:
    """`insert, select on public.a, public.b and 4 more; update on public.c`"""
    by_title: dict[str, list[str]] = {}
    for one in found:
        by_title.setdefault(one.title, []).append(one.privilege)
    alike = sorted((", ".join(sorted(names)), title) for title, names in by_title.items())
    parts = []
    for privileges, group in groupby(alike, key=lambda pair: pair[0]):
        titles = [title for _, title in group if title]
        more = f" and {len(titles) - _SHOWN} more" if len(titles) > _SHOWN else ""
        on = f" on {', '.join(titles[:_SHOWN])}{more}" if titles else ""
        parts.append(privileges + on)
    return "; ".join(parts)


STEP = Roles()
