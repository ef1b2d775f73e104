"""`db.repair`: mends what keeps migrations from running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import Marker, Survey, obstacle, survey
from cbctl.clients.postgres.migrations import read_folder
from cbctl.clients.postgres.repair import Damage, find_damage, mending, repair
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
from cbctl.steps.db._database import address_of


@dataclass(frozen=True)
class Inputs:
    """url       of the role that owns the schema
    folder    migrations
    platform, environment  whose database it must be
    """

    url: Reference
    folder: Path
    platform: str
    environment: str


@dataclass(frozen=True)
class Facts:
    survey: Survey
    damage: Damage


@dataclass(frozen=True)
class Outcome:
    """done: what was changed, one line each"""

    done: tuple[str, ...]


class Repair(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Mends what keeps migrations from running"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        migrations = read_folder(inputs.folder)
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            found = survey(connection, address)
        return Observation(Facts(found, find_damage(address, found, _marker(inputs), migrations)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if reason := obstacle(facts.survey, _marker(inputs), create_marker=False):
            return Blocked(*reason)
        damage = facts.damage
        others = [one for one in damage.changed if not one.same]
        if others:
            names = ", ".join(one.title for one in others)
            why = (
                "its statements are others"
                if others[0].same is False
                else "git has no version of the file that was applied, so nobody can tell"
            )
            return Blocked(
                f"the content of {names} is not what was applied: {why}",
                "restore the file as it was and put the change into a new migration",
            )
        changes = [
            Change(f"checksum of {one.title}", one.old[:12], one.new[:12]) for one in damage.changed
        ]
        if damage.unfinished:
            changes.append(Change(f"migration {damage.unfinished}", "begun", "not begun"))
        changes += [Change(f"index {index}", "invalid", mending(index)) for index in damage.invalid]
        return Changes(tuple(changes)) if changes else Nothing("nothing is to be mended")

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """All of it is looked for anew."""
        return {"changes": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.postgres.job import Job
        from cbctl.clients.postgres.waiting import Patience

        migrations = read_folder(inputs.folder)
        address = address_of(ctx, inputs.url)
        facts = self.observe(ctx, inputs).facts
        job = Job(
            address=address,
            migrations=migrations,
            works_with=SchemaRange(0, max((m.entry.version for m in migrations), default=0)),
            marker=_marker(inputs),
            token=ctx.token,
            by=ctx.run,
            fence=ctx.fence,
            patience=Patience(monotonic=ctx.monotonic, sleep=ctx.sleep, progress=ctx.progress),
        )
        return Outcome(tuple(repair(job, facts.damage)))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(())

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        match self.plan(inputs, self.observe(ctx, inputs).facts):
            case Changes(changes):
                names = ", ".join(change.what for change in changes)
                return NotVerified(f"still to be mended: {names}", "run cbctl db repair again")
            case Blocked(why, fix):
                return NotVerified(why, fix)
        return Verified({"repair": "nothing is left to be mended"})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("it stays: what was mended was of no use to anybody")


def _marker(inputs: Inputs) -> Marker:
    return Marker(inputs.platform, inputs.environment)


STEP = Repair()
