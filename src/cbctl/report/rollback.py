"""Which release a rollback goes to, and why not to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbctl.config.types import Secret
from cbctl.engine.release import Release, find
from cbctl.errors import CbctlError, Exit


@dataclass(frozen=True)
class LiveSchema:
    """version     highest applied migration
    contracted  highest applied migration of the phase post: code that knows less cannot run
    source      where this was read
    """

    version: int
    contracted: int
    source: str


@dataclass(frozen=True)
class Choice:
    """
    release      what is gone back to
    leaves       what is gone away from: the newest release
    schema       that it has to live with
    passed_over  why it is no newer one, a line for each
    """

    release: Release
    leaves: Release
    schema: LiveSchema
    passed_over: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        fits = f"fits schema {self.schema.version} (as {self.schema.source} has it)"
        return (
            f"{self.release.id} of {self.release.at[:16].replace('T', ' ')} is healthy and {fits}"
        )


QUICK = 1.0
"""Seconds that the database has to answer: whoever goes back may do so because it is down."""


def live_schema(url: Secret | None, newest: Release, unread: str = "") -> LiveSchema:
    """Of the database, or, when it does not answer, as the newest release recorded it.

    url     None: it is not asked, because of `unread`"""
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import DatabaseDown, connect
    from cbctl.clients.postgres.ledger import survey

    why = unread or "the database does not answer"
    recorded = LiveSchema(
        int(newest.parts.get("schema_version") or 0),
        int(newest.parts.get("schema_contracted") or 0),
        f"release {newest.id}, because {why},",
    )
    if not url:
        return recorded
    address = parse(url)
    try:
        with connect(address, seconds=QUICK) as connection:
            applied = survey(connection, address).applied
    except DatabaseDown:
        return recorded
    return LiveSchema(
        max((a.version for a in applied), default=0),
        max((a.version for a in applied if a.phase == "post"), default=0),
        "the database",
    )


def choose(known: Sequence[Release], to: str | None, schema: LiveSchema) -> Choice:
    """The release `to`, or the newest healthy former one that fits the schema.

    Raises CbctlError: 64 for an unknown release, 7 with a reason for each when none fits."""
    newest = known[-1]
    if to is not None:
        wanted = find(known, to)
        if reason := _unfit(wanted, newest, schema):
            raise CbctlError(f"cannot go back to {to}: {reason}", exit=Exit.REFUSED)
        return Choice(wanted, newest, schema)
    reasons: list[str] = []
    for release in reversed(known[:-1]):
        reason = _unfit(release, newest, schema)
        if reason is None:
            return Choice(release, newest, schema, tuple(reasons))
        reasons.append(f"{release.id}: {reason}")
    raise CbctlError(
        "there is no earlier healthy release to go back to",
        exit=Exit.REFUSED,
        fix="change what is wrong and deploy again",
        evidence={"why not": reasons or [f"{newest.id} is the only release"]},
    )


def _unfit(release: Release, newest: Release, schema: LiveSchema) -> str | None:
    if release.state != "healthy":
        return f"it is {release.state}" + (f" ({release.reason})" if release.reason else "")
    if release.id == newest.id or _same(release, newest):
        return "it is what runs now"
    low, high = release.parts.get("schema_min"), release.parts.get("schema_max")
    if low is not None and schema.version < int(low):
        return f"it needs schema {low}, the live one is {schema.version} ({schema.source})"
    if high is not None and schema.contracted > int(high):
        return (
            f"it works with schemas up to {high}, and migration {schema.contracted} has taken "
            f"away what it needs ({schema.source})"
        )
    return None


def _same(one: Release, other: Release) -> bool:
    """What runs is the same: the slot of a deploy and the schema at that time do not count."""
    changing = {"slot", "schema_version", "schema_contracted"}
    return {k: v for k, v in one.parts.items() if k not in changing} == {
        k: v for k, v in other.parts.items() if k not in changing
    }
