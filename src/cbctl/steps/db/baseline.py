"""`db.baseline`: takes a database over whose schema is there already, at a version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.postgres.build import build, like, schema_of
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import (
    Applied,
    Marker,
    Survey,
    obstacle_to_baseline,
    reached,
    survey,
)
from cbctl.clients.postgres.migrations import Entry, Migration, read_folder
from cbctl.clients.postgres.schema import compare_schemas
from cbctl.clients.postgres.waiting import Patience
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
    StateFolder,
    Step,
    Verdict,
    Verified,
)
from cbctl.local.state import State
from cbctl.steps.db._database import address_of, what
from cbctl.steps.db._scratch import scratch_for

_SHOWN = 12


@dataclass(frozen=True)
class Inputs:
    """url       of the role that owns the schema
    folder    migrations
    platform, environment  whose database it becomes
    to        the version that its schema is at
    state     folder of the environment's state, for what is thrown away
    on        server to make the scratch database on; None: one of its own
    """

    url: Reference
    folder: Path
    platform: str
    environment: str
    to: int
    state: StateFolder
    on: Reference | None = None


@dataclass(frozen=True)
class Facts:
    """differences: from what the migrations build, one line each; () where nothing was compared,
    because it would be refused anyway, or is done"""

    folder: tuple[Entry, ...]
    survey: Survey
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """recorded: titles of the migrations that were recorded as applied"""

    schema_version: int
    recorded: tuple[str, ...]


class Baseline(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Takes a database over whose schema is there already"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        migrations = read_folder(inputs.folder)
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            found = survey(connection, address)
        facts = Facts(tuple(m.entry for m in migrations), found, ())
        if found.applied or _refused(inputs, facts):
            return Observation(facts)
        wanted = like(address)
        on = None if inputs.on is None else address_of(ctx, inputs.on)
        with scratch_for(State.at(inputs.state), wanted, on, ctx.sleep) as (place, major):
            build(place, _up_to(migrations, inputs.to), Patience(sleep=ctx.sleep))
            built = schema_of(place)
        differences = compare_schemas(built, schema_of(address), same_major=major == wanted.major)
        lines = tuple(line for one in differences for line in one.lines())
        return Observation(Facts(facts.folder, found, lines), {"compared on Postgres": major})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if blocked := _refused(inputs, facts):
            return blocked
        wanted = [entry for entry in facts.folder if entry.version <= inputs.to]
        if applied := facts.survey.applied:
            if _same(wanted, applied):
                return Nothing(f"the schema is recorded at {reached(applied):04d}")
            return Blocked(
                f"migrations up to {reached(applied):04d} are recorded already",
                "cbctl db status says which; cbctl db migrate runs the rest",
            )
        if facts.differences:
            shown = "\n".join(facts.differences[:_SHOWN])
            more = len(facts.differences) - _SHOWN
            return Blocked(
                f"the database is not what the migrations up to {inputs.to:04d} build "
                f"(-: they, +: it)\n{shown}" + (f"\nand {more} lines more" if more > 0 else ""),
                "name the version that it is at, or make it so",
            )
        return Changes(tuple(Change(what(e), None, "recorded, not run") for e in wanted))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """The rows of schema_migrations are found by themselves."""
        return {"migrations": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.postgres.job import Job
        from cbctl.clients.postgres.runner import record_baseline

        address = address_of(ctx, inputs.url)
        migrations = _up_to(read_folder(inputs.folder), inputs.to)
        with connect(address) as connection:
            done = survey(connection, address).applied  # by an earlier try of this run
        if not _same([m.entry for m in migrations], done):
            record_baseline(
                Job(
                    address=address,
                    migrations=migrations,
                    works_with=SchemaRange(0, inputs.to),
                    marker=Marker(inputs.platform, inputs.environment),
                    token=ctx.token,
                    by=f"{ctx.run}, not run",
                    fence=ctx.fence,
                    patience=Patience(
                        monotonic=ctx.monotonic, sleep=ctx.sleep, progress=ctx.progress
                    ),
                )
            )
        return Outcome(inputs.to, tuple(m.entry.title for m in migrations))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(reached(facts.survey.applied), ())

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        verdict = self.plan(inputs, self.observe(ctx, inputs).facts)
        if isinstance(verdict, Nothing):
            return Verified({"schema": verdict.because})
        return NotVerified("the migrations are not recorded", "run cbctl db baseline again")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("it stays: the schema was not changed")


def _refused(inputs: Inputs, facts: Facts) -> Blocked | None:
    """What speaks against it whatever the schema is."""
    if reason := obstacle_to_baseline(facts.survey, Marker(inputs.platform, inputs.environment)):
        return Blocked(*reason)
    if inputs.to not in {entry.version for entry in facts.folder}:
        return Blocked(
            f"the folder has no migration {inputs.to:04d}", "name the last one that is in there"
        )
    return None


def _same(wanted: list[Entry], applied: tuple[Applied, ...]) -> bool:
    return [(e.version, e.checksum) for e in wanted] == [(a.version, a.checksum) for a in applied]


def _up_to(migrations: tuple[Migration, ...], to: int) -> tuple[Migration, ...]:
    return tuple(migration for migration in migrations if migration.entry.version <= to)


STEP = Baseline()
