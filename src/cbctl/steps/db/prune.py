"""`db.prune`: removes old backups, and databases that a restore replaced long ago."""

from __future__ import annotations

import calendar
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cbctl.clients.backups.place import Kept, kept
from cbctl.clients.postgres.connect import DatabaseDown
from cbctl.clients.postgres.databases import drop_database
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
from cbctl.steps.db._backups import Where
from cbctl.steps.db._exchange import Whose, put_aside

_DAY = 86_400
_BACKUP, _DATABASE = "backup ", "database "


@dataclass(frozen=True, kw_only=True)
class Inputs(Where, Whose):
    """keep_days   what is older goes
    floor_days  nothing younger goes, whatever keep_days says
    """

    keep_days: int
    floor_days: int


@dataclass(frozen=True)
class Facts:
    """What is old enough to go, the oldest first.

    proved   the newest backup that was proved; "": none was
    unasked  why the databases that were put aside are not known
    """

    backups: tuple[str, ...]
    databases: tuple[str, ...]
    proved: str
    unasked: str = ""


@dataclass(frozen=True)
class Outcome:
    removed: tuple[str, ...]


class Prune(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Removes old backups of the database"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        limit = ctx.wall() - max(inputs.keep_days, inputs.floor_days) * _DAY
        aside, unasked = [], ""
        try:
            aside = put_aside(ctx, inputs)
        except DatabaseDown as down:  # its backups can be pruned all the same
            unasked = f"databases that were put aside are not looked at: {down.what}"
        databases = tuple(name for name in aside if _time_of_database(name) < limit)
        found = kept(inputs.open())
        facts = Facts(tuple(due(found, limit)), databases, _newest_proved(found), unasked)
        return Observation(facts, {"notes": unasked} if unasked else {})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if inputs.keep_days < inputs.floor_days:
            return Blocked(
                f"what is younger than {inputs.floor_days} days is never removed",
                "database.backups.floor_days in cbctl.yaml is that limit",
            )
        if facts.backups and not facts.proved:
            return Blocked(
                f"none of the backups was proved: {len(facts.backups)} would go, and nobody knows "
                "whether those that stay can be restored",
                f"cbctl db verify-backup --env {inputs.environment}",
            )
        gone = [f"{_BACKUP}{id}" for id in facts.backups]
        gone += [f"{_DATABASE}{name}" for name in facts.databases]
        if not gone:
            said = f"nothing that may go is older than {inputs.keep_days} days"
            return Nothing("; ".join(filter(None, (said, facts.unasked))))
        return Changes(tuple(Change(what, "there", "removed") for what in gone))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return {"removed": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        place, facts = inputs.open(), self.observe(ctx, inputs).facts
        agreed = {change.what for change in changes}
        place.clean(but="")
        for id in facts.backups:
            if f"{_BACKUP}{id}" in agreed:
                ctx.fence()
                place.remove(id)
        for name in facts.databases:
            if f"{_DATABASE}{name}" in agreed:
                ctx.fence()
                drop_database(inputs.administrator(ctx), name)
        return Outcome(tuple(sorted(agreed)))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(())

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        left = self.observe(ctx, inputs).facts
        if left.backups or left.databases:
            names = ", ".join((*left.backups, *left.databases))
            return NotVerified(f"still there: {names}", "run cbctl db prune again")
        return Verified({"kept": len(inputs.open().ids())})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what was removed is gone")


def due(found: Sequence[Kept], limit: float) -> list[str]:
    """Those older than `limit`, but neither the newest that nothing speaks against nor the newest
    that was proved."""
    spared = {one.id for one in [one for one in found if not one.problem][-1:]}
    spared.add(_newest_proved(found))
    return [one.id for one in found if _made(one) < limit and one.id not in spared]


def _newest_proved(found: Sequence[Kept]) -> str:
    return next((one.id for one in reversed(found) if one.proof), "")


def _made(one: Kept) -> float:
    return calendar.timegm(time.strptime(one.made_at[:19], "%Y-%m-%dT%H:%M:%S"))


def _time_of_database(name: str) -> float:
    try:
        second = name.rpartition("_")[2][:15]  # milliseconds follow
        return calendar.timegm(time.strptime(second, "%Y%m%dt%H%M%S"))
    except ValueError:
        return float("inf")  # renamed by somebody: not ours to drop


STEP = Prune()
