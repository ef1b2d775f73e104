"""Which release a rollback goes to, and why not to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbctl.config.types import Secret
from cbctl.engine import journal
from cbctl.engine.journal import RUNS
from cbctl.engine.release import Release, find
from cbctl.engine.store import Store
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
    cut_off      run that changed things after the newest release and did not end; "": none
    """

    release: Release
    leaves: Release
    schema: LiveSchema
    passed_over: tuple[str, ...] = ()
    cut_off: str = ""

    @property
    def why(self) -> str:
        fits = f"fits schema {self.schema.version} (as {self.schema.source} has it)"
        since = f"; run {self.cut_off} did not end, so what runs is no release"
        return (
            f"{self.release.id} of {self.release.at[:16].replace('T', ' ')} is healthy and {fits}"
            f"{since if self.cut_off else ''}"
        )


_RECORDED = ("schema_version", "schema_contracted")
"""In the outcome of a step that changed the schema, and in a release."""
QUICK = 1.0
"""Seconds that the database has to answer: whoever goes back may do so because it is down."""


def live_schema(url: Secret, store: Store, newest: Release) -> LiveSchema:
    """Of the database, or, when it does not answer, as it was last recorded."""
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import DatabaseDown, connect
    from cbctl.clients.postgres.ledger import reached, survey

    address = parse(url)
    try:
        with connect(address, seconds=QUICK) as connection:
            applied = survey(connection, address).applied
    except DatabaseDown:
        return recorded_schema(store, newest, "the database does not answer")
    contracted = reached(tuple(row for row in applied if row.phase == "post"))
    return LiveSchema(reached(applied), contracted, "the database")


def recorded_schema(store: Store, newest: Release, why: str) -> LiveSchema:
    """As the last run that changed it left it, or the release has it.

    why  the database itself is not asked"""
    runs = [stream for stream in store.streams(RUNS) if stream > RUNS + newest.run]
    for stream in reversed(runs):
        for record in reversed(journal.read(store, stream)):
            found = record.data.get("outcome") if record.type == "step.outcome" else None
            if isinstance(found, Mapping) and found.keys() >= set(_RECORDED):
                version, contracted = (int(found[name]) for name in _RECORDED)
                run = stream.removeprefix(RUNS)
                return LiveSchema(version, contracted, f"run {run}, because {why},")
    version, contracted = (int(newest.parts.get(name) or 0) for name in _RECORDED)
    return LiveSchema(version, contracted, f"release {newest.id}, because {why},")


def choose(
    known: Sequence[Release], to: str | None, schema: LiveSchema, cut_off: str = ""
) -> Choice:
    """The release `to`, or the newest healthy former one that fits the schema.

    cut_off  run that changed things after the newest release and did not end: then that one runs no
             longer, and is what there is to go back to
    Raises CbctlError: 64 for an unknown release, 7 with a reason for each when none fits."""
    newest = known[-1]
    runs = None if cut_off else newest
    if to is not None:
        wanted = find(known, to)
        if reason := _unfit(wanted, known, runs, schema):
            raise CbctlError(f"cannot go back to {to}: {reason}", exit=Exit.REFUSED)
        return Choice(wanted, newest, schema, (), cut_off)
    reasons: list[str] = []
    for release in reversed(known if cut_off else known[:-1]):
        reason = _unfit(release, known, runs, schema)
        if reason is None:
            return Choice(release, newest, schema, tuple(reasons), cut_off)
        reasons.append(f"{release.id}: {reason}")
    raise CbctlError(
        "there is no earlier healthy release to go back to",
        exit=Exit.REFUSED,
        fix="change what is wrong and deploy again",
        evidence={"why not": reasons or [f"{newest.id} is the only release"]},
    )


def _unfit(
    release: Release, known: Sequence[Release], runs: Release | None, schema: LiveSchema
) -> str | None:
    # gone back to and left again: the newest judgement of what it consists of counts
    judged = next(one for one in reversed(known) if one.id == release.id or _same(one, release))
    if judged.state != "healthy":
        it = "it" if judged.id == release.id else f"{judged.id}, which is the same,"
        return f"{it} is {judged.state}" + (f" ({judged.reason})" if judged.reason else "")
    if runs is not None and (release.id == runs.id or _same(release, runs)):
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


def out_of_reach(known: Sequence[Release], contracted: int) -> list[str]:
    """The healthy releases that cannot be gone back to once that migration of the phase post has
    run."""
    return [
        one.id
        for one in known
        if one.state == "healthy"
        and (high := one.parts.get("schema_max")) is not None
        and int(high) < contracted
    ]


def _same(one: Release, other: Release) -> bool:
    """What runs is the same: the slot of a deploy and the schema at that time do not count."""
    changing = {"slot", "schema_version", "schema_contracted"}
    return {k: v for k, v in one.parts.items() if k not in changing} == {
        k: v for k, v in other.parts.items() if k not in changing
    }
