"""`db.migrate`: brings the schema of a Postgres database to what the code needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.compare import Choice, Due, SchemaRange, compare
from cbctl.clients.postgres.connect import DatabaseDown, connect, told_when_lost
from cbctl.clients.postgres.ledger import Marker, Survey, obstacle, reached, survey
from cbctl.clients.postgres.migrations import Entry, gaps, read_folder
from cbctl.clients.postgres.schema_range import read_range
from cbctl.config.types import Reference
from cbctl.engine.step import (
    After,
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
from cbctl.steps.db._database import what

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

MARKER = "owner of the database"


@dataclass(frozen=True)
class Inputs:
    """url             of the role that owns the schema
    folder          migrations, NNNN_name.up.sql and .down.sql
    schema          JSON file {"min": n, "max": n}: the schema versions the code works with;
                    without it 0 to the highest version in the folder
    platform, environment  whose database it must be
    phase           pre: before new code, post: what old code could not bear, all: both, auto: pre,
                    and on a new, empty database both
    create_marker   an empty database may be taken for this environment
    out_of_order    a migration whose number is lower than that of an applied one may run
    database_step   id of the step that brings the database up, "" when none does. It counts only
                    for a database on this machine: one elsewhere that is down is an error
    """

    url: Reference
    folder: Path
    platform: str
    environment: str
    schema: Path | None = None
    phase: Choice = "auto"
    create_marker: bool = False
    out_of_order: bool = False
    database_step: str = "postgres"


@dataclass(frozen=True)
class Facts:
    """down      why nobody answers: "" (somebody does) or a word such as "refused"
    folder    the migrations there are; `survey` what the database has, None while it is down
    """

    down: str
    folder: tuple[Entry, ...]
    works_with: SchemaRange
    survey: Survey | None


@dataclass(frozen=True)
class Outcome:
    """schema_version     highest version that is applied; 0: none
    schema_contracted  highest `post` version that is applied: code whose `schema_max` is lower
                       does not work with this database any more
    schema_min, schema_max  the range this code works with
    applied            titles of the migrations that this run applied
    """

    schema_version: int
    schema_contracted: int
    schema_min: int
    schema_max: int
    applied: tuple[str, ...] = ()


class Migrate(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Runs the migrations of the database that are due"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        folder = tuple(migration.entry for migration in read_folder(inputs.folder))
        works_with = read_range(inputs.schema, folder)
        started = ctx.monotonic()
        down, found, address = "", None, None
        notes: tuple[str, ...] = ()
        try:
            address = _address(ctx, inputs)
            with connect(address) as connection:
                found = survey(connection, address)
                due = _due(inputs, folder, works_with, found)
                open_ones = _open_transactions(connection, address) if due.due else ()
                notes = (*due.notes, *open_ones)
        except DatabaseDown as error:
            if not inputs.database_step or (address and not address.loopback):
                raise
            down = error.kind
        evidence: dict[str, Json] = {"seconds": round(ctx.monotonic() - started, 3)}
        if missing := gaps([entry.version for entry in folder]):
            evidence["numbers that are missing in the folder"] = ", ".join(missing)
        if notes:
            evidence["notes"] = "; ".join(notes)
        return Observation(Facts(down, folder, works_with, found), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.survey is None:
            marker = (_marker_change(inputs),) if inputs.create_marker else ()
            return After((inputs.database_step,), marker + tuple(map(_change, facts.folder)))
        if reason := obstacle(facts.survey, _marker(inputs), inputs.create_marker):
            return Blocked(*reason)
        due = _due(inputs, facts.folder, facts.works_with, facts.survey)
        if due.problem:
            return Blocked(due.problem, due.fix)
        changes = tuple(map(_change, due.due))
        if facts.survey.marker is None:
            changes = (_marker_change(inputs), *changes)
        if changes:
            return Changes(changes)
        waiting = f"; waiting for a later phase: {len(due.waiting)}" if due.waiting else ""
        return Nothing(f"the schema is at {reached(facts.survey.applied):04d}{waiting}")

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """The migrations themselves are found by their rows in schema_migrations."""
        return {"migrations": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        # Here, since most runs find nothing to do.
        from cbctl.clients.postgres.job import Job
        from cbctl.clients.postgres.runner import migrate
        from cbctl.clients.postgres.waiting import Patience

        migrations = read_folder(inputs.folder)
        works_with = read_range(inputs.schema, tuple(m.entry for m in migrations))
        agreed = {change.what for change in changes} | _intended(intent)
        address = _address(ctx, inputs)
        with told_when_lost(address):
            applied = migrate(
                Job(
                    address=address,
                    migrations=migrations,
                    works_with=works_with,
                    marker=_marker(inputs),
                    token=ctx.token,
                    phase=inputs.phase,
                    by=ctx.run,
                    create_marker=inputs.create_marker,
                    out_of_order=inputs.out_of_order,
                    agreed={m.entry.title for m in migrations if what(m.entry) in agreed},
                    fence=ctx.fence,
                    patience=Patience(
                        monotonic=ctx.monotonic, sleep=ctx.sleep, progress=ctx.progress
                    ),
                )
            )
            with connect(address) as connection:
                now = survey(connection, address)
        return _outcome(now, works_with, tuple(entry.title for entry in applied))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        if facts.survey is None:
            raise CbctlError("the database is down", exit=Exit.FAILED)
        return _outcome(facts.survey, facts.works_with)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        match self.plan(inputs, facts):
            case Nothing(because):
                return Verified({"schema": because})
            case Changes(changes):
                names = ", ".join(change.what for change in changes)
                return NotVerified(f"not in the database: {names}", "run cbctl db migrate again")
            case Blocked(why, fix):
                return NotVerified(why, fix)
            case After():
                return NotVerified(
                    f"the database does not answer: {facts.down}", "see why the server stopped"
                )

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo(
            "they stay: migrations of the phase pre leave the code before them working"
        )


def _address(ctx: Context, inputs: Inputs) -> Address:
    """Raises DatabaseDown while a generated URL does not exist yet: its database neither does."""
    try:
        url = ctx.reveal(inputs.url)
    except CbctlError as error:
        if inputs.url.kind != "state" or not inputs.database_step:
            raise
        raise DatabaseDown(error.what, kind="no URL", where=error.where, fix=error.fix) from None
    return parse(url, where=inputs.url.setting or inputs.url.text)


def _due(inputs: Inputs, folder: tuple[Entry, ...], works_with: SchemaRange, found: Survey) -> Due:
    return compare(
        folder,
        found.applied,
        inputs.phase,
        new=found.empty or found.building,
        works_with=works_with,
        out_of_order=inputs.out_of_order,
    )


def _marker(inputs: Inputs) -> Marker:
    return Marker(inputs.platform, inputs.environment)


def _change(entry: Entry) -> Change:
    return Change(what(entry), None, entry.phase)


def _open_transactions(connection: Connection, address: Address) -> list[str]:
    """Whom a migration may have to wait for, a sentence each; () where we may not see that."""
    from cbctl.clients.postgres.clients import clients

    try:
        found = clients(connection, address)
    except CbctlError:
        return []
    return [
        f"session {one.pid} ({one.user} {one.application}".rstrip()
        + f") has a transaction open for {one.transaction} s"
        + (f", with locks on {', '.join(one.holds)}" if one.holds else "")
        + f", which may be in the way: cbctl db kill {one.pid}"
        for one in found
        if one.transaction is not None
        and (one.is_long or one.is_idle_in_transaction)
        and not one.is_cbctl
    ]


def _marker_change(inputs: Inputs) -> Change:
    return Change(MARKER, None, str(_marker(inputs)))


def _intended(intent: Json) -> set[str]:
    """What an earlier try of the same run had been allowed."""
    names = intent.get("migrations") if isinstance(intent, dict) else None
    return {str(name) for name in names} if isinstance(names, list) else set()


def _outcome(now: Survey, works_with: SchemaRange, applied: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        schema_version=reached(now.applied),
        schema_contracted=reached(tuple(row for row in now.applied if row.phase == "post")),
        schema_min=works_with.min,
        schema_max=works_with.max,
        applied=applied,
    )


STEP = Migrate()
