"""`db.rollback`: takes migrations back by their down files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.postgres.compare import SchemaRange, back
from cbctl.clients.postgres.connect import connect, told_when_lost
from cbctl.clients.postgres.ledger import Applied, Marker, Survey, obstacle, reached, survey
from cbctl.clients.postgres.migrations import Entry, read_folder
from cbctl.config.types import Reference
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
from cbctl.steps.db._database import address_of, what


@dataclass(frozen=True)
class Inputs:
    """url       of the role that owns the schema
    folder    migrations; those that are taken back need their .down.sql
    platform, environment  whose database it must be
    to        the version that is to be the highest one afterwards; 0: nothing stays
    """

    url: Reference
    folder: Path
    platform: str
    environment: str
    to: int


@dataclass(frozen=True)
class Facts:
    """folder: the migrations there are; survey: what the database has"""

    folder: tuple[Entry, ...]
    survey: Survey


@dataclass(frozen=True)
class Outcome:
    """
    schema_version     highest version that is applied now; 0: none
    schema_contracted  the same of the phase `post`
    """

    schema_version: int
    schema_contracted: int


class Rollback(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Takes migrations back by their down files"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        folder = tuple(migration.entry for migration in read_folder(inputs.folder))
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            return Observation(Facts(folder, survey(connection, address)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if reason := obstacle(facts.survey, _marker(inputs), create_marker=False):
            return Blocked(*reason)
        applied = facts.survey.applied
        if not _above(applied, inputs.to):
            return Nothing(f"the schema is at {reached(applied):04d}")
        due = back(facts.folder, applied, inputs.to)
        if due.problem:
            return Blocked(due.problem, due.fix)
        return Changes(tuple(Change(what(e), "applied", "taken back") for e in due.due))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """The migrations themselves are found by their rows in schema_migrations."""
        return {"migrations": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.postgres.job import Job
        from cbctl.clients.postgres.waiting import Patience
        from cbctl.clients.postgres.way_back import roll_back

        migrations = read_folder(inputs.folder)
        agreed = {change.what for change in changes}
        if isinstance(intent, dict) and isinstance(names := intent.get("migrations"), list):
            agreed |= {str(name) for name in names}
        address = address_of(ctx, inputs.url)
        job = Job(
            address=address,
            migrations=migrations,
            works_with=SchemaRange(0, max((m.entry.version for m in migrations), default=0)),
            marker=_marker(inputs),
            token=ctx.token,
            by=ctx.run,
            agreed={m.entry.title for m in migrations if what(m.entry) in agreed},
            fence=ctx.fence,
            patience=Patience(monotonic=ctx.monotonic, sleep=ctx.sleep, progress=ctx.progress),
        )
        with told_when_lost(address):
            roll_back(job, inputs.to)
        return self.outcome(ctx, inputs, self.observe(ctx, inputs).facts)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        applied = facts.survey.applied
        posts = tuple(row for row in applied if row.phase == "post")
        return Outcome(reached(applied), reached(posts))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        applied = self.observe(ctx, inputs).facts.survey.applied
        if left := _above(applied, inputs.to):
            names = ", ".join(row.title for row in left)
            return NotVerified(f"still applied: {names}", "run cbctl db rollback again")
        return Verified({"schema": f"{reached(applied):04d}"})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what a down file dropped is gone; cbctl db migrate makes it anew, empty")


def _above(applied: tuple[Applied, ...], to: int) -> list[Applied]:
    return [row for row in applied if row.version > to]


def _marker(inputs: Inputs) -> Marker:
    return Marker(inputs.platform, inputs.environment)


STEP = Rollback()
