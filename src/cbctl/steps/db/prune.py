"""`db.prune`: removes old backups, and databases that a restore replaced long ago."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.place import Kept, Place, is_whole, kept
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
from cbctl.steps.db._backups import Recorded
from cbctl.steps.db._exchange import Whose, put_aside, unfinished

_DAY = 86_400
_BACKUP, _DATABASE = "backup ", "database "
_NAMED = 5
_GIVEN_UP = _DAY
"""Seconds after which nobody is at work any more on a database that is half restored."""


@dataclass(frozen=True, kw_only=True)
class Inputs(Recorded, Whose):
    """keep_days   what is older goes
    floor_days  nothing younger goes, whatever keep_days says
    """

    keep_days: int
    floor_days: int


@dataclass(frozen=True)
class Facts:
    """What is old enough to go, the oldest first.

    databases  that were put aside; unfinished: that an interrupted restore left half there
    proved   the newest backup that was proved, by the history; "": none was
    foreign, unread  backups that are as old and left alone: of other environments, and those of
                     which nobody can say whose they are
    claimed  one that was proved by the file beside it alone
    unasked  why the databases are not known
    """

    backups: tuple[str, ...]
    databases: tuple[str, ...]
    unfinished: tuple[str, ...]
    proved: str
    foreign: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    claimed: str = ""
    unasked: str = ""


@dataclass(frozen=True)
class Outcome:
    removed: tuple[str, ...]


class Prune(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Removes old backups of the database"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        limit = ctx.wall() - max(inputs.keep_days, inputs.floor_days) * _DAY
        aside, halves, unasked = [], dict[str, float](), ""
        try:
            aside, halves = put_aside(ctx, inputs), unfinished(ctx, inputs)
        except DatabaseDown as down:  # its backups can be pruned all the same
            unasked = f"databases that were put aside are not looked at: {down.what}"
        place = inputs.open()
        found = kept(place, inputs.proved)
        own = [one for one in found if one.manifest and _is_of(one.manifest, inputs)]
        other = [one for one in found if one not in own and _made(one) < limit]
        facts = Facts(
            backups=tuple(due(own, limit, lambda one: _is_whole(place, one))),
            databases=tuple(name for name in aside if _time_of_database(name) < limit),
            unfinished=tuple(
                name for name, at in sorted(halves.items()) if at < ctx.wall() - _GIVEN_UP
            ),
            proved=_newest(own, lambda one: one.proved and _is_whole(place, one)),
            foreign=tuple(
                f"{one.id} of {one.manifest.platform}/{one.manifest.environment}"
                for one in other
                if one.manifest
            ),
            unread=tuple(one.id for one in other if not one.manifest),
            claimed=_newest(own, lambda one: one.proof is not None and not one.proved),
            unasked=unasked,
        )
        notes = "; ".join(filter(None, (unasked, _left(facts))))
        return Observation(facts, {"notes": notes} if notes else {})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if inputs.keep_days < inputs.floor_days:
            return Blocked(
                f"what is younger than {inputs.floor_days} days is never removed",
                "database.backups.floor_days in cbctl.yaml is that limit",
            )
        if facts.backups and not facts.proved:
            claimed = f" ({facts.claimed}: by the file beside it alone)" if facts.claimed else ""
            return Blocked(
                f"none of the backups was proved{claimed}: {len(facts.backups)} would go, and "
                "nobody knows whether those that stay can be restored",
                f"cbctl db verify-backup --env {inputs.environment}",
            )
        gone = [Change(f"{_BACKUP}{id}", "there", "removed") for id in facts.backups]
        gone += [Change(f"{_DATABASE}{name}", "there", "removed") for name in facts.databases]
        half = "half restored, by a run that did not end"
        gone += [Change(f"{_DATABASE}{name}", half, "removed") for name in facts.unfinished]
        if gone:
            return Changes(tuple(gone))
        if facts.foreign:
            return Blocked(_left(facts), "prune them with --env of the environment they are of")
        said = f"nothing that may go is older than {inputs.keep_days} days"
        return Nothing("; ".join(filter(None, (said, _left(facts), facts.unasked))))

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
        for name in (*facts.databases, *facts.unfinished):
            if f"{_DATABASE}{name}" in agreed:
                ctx.fence()
                drop_database(inputs.administrator(ctx), name)
        return Outcome(tuple(sorted(agreed)))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(())

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        left = self.observe(ctx, inputs).facts
        if there := (*left.backups, *left.databases, *left.unfinished):
            names = ", ".join(there)
            return NotVerified(f"still there: {names}", "run cbctl db prune again")
        return Verified({"kept": len(inputs.open().ids())})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what was removed is gone")


def due(found: Sequence[Kept], limit: float, whole: Callable[[Kept], bool]) -> list[str]:
    """Those older than `limit`, but neither the newest that nothing speaks against nor the newest
    that was proved, whatever the file beside it says. whole: all of its files are there"""
    spared = {
        _newest(found, lambda one: not one.problem and whole(one)),
        _newest(found, lambda one: one.recorded and whole(one)),
    }
    return [one.id for one in found if _made(one) < limit and one.id not in spared]


def _newest(found: Sequence[Kept], is_it: Callable[[Kept], bool]) -> str:
    """ "" for none."""
    return next((one.id for one in reversed(found) if is_it(one)), "")


def _is_of(manifest: Manifest, inputs: Inputs) -> bool:
    return (manifest.platform, manifest.environment) == (inputs.platform, inputs.environment)


def _is_whole(place: Place, one: Kept) -> bool:
    return one.manifest is not None and is_whole(place, one.manifest)


def _left(facts: Facts) -> str:
    """What is as old, and is not removed."""
    said = []
    if facts.foreign:
        said.append(f"left alone, for they are not of this environment: {_few(facts.foreign)}")
    if facts.unread:
        said.append(f"left alone, for nobody can say whose they are: {_few(facts.unread)}")
    return "; ".join(said)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _made(one: Kept) -> float:
    return calendar.timegm(time.strptime(one.made_at[:19], "%Y-%m-%dT%H:%M:%S"))


def _time_of_database(name: str) -> float:
    try:
        second = name.rpartition("_")[2][:15]  # milliseconds follow
        return calendar.timegm(time.strptime(second, "%Y%m%dt%H%M%S"))
    except ValueError:
        return float("inf")  # renamed by somebody: not ours to drop


STEP = Prune()
