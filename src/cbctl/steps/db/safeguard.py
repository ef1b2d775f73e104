"""`db.safeguard`: before migrations, a proved backup that is recent enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cbctl.clients.backups.place import find, is_whole, kept
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import survey
from cbctl.clients.postgres.migrations import read_folder
from cbctl.engine.step import (
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
from cbctl.local.scratch import scratch
from cbctl.local.state import State
from cbctl.steps.db import backup
from cbctl.steps.db._backups import Recorded, work_in
from cbctl.steps.db._database import address_of
from cbctl.steps.db._proof import on_own_server, write_proof

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Inputs(backup.Inputs, Recorded):
    """
    folder      of the migrations
    hours       that the newest proved backup may be old; 0: none is wanted
    configured  whether the settings say where backups are kept for good
    """

    folder: Path
    hours: int = 24
    configured: bool = False


@dataclass(frozen=True)
class Facts:
    """
    not_here  why none is taken in any case
    due       titles of migrations that are to run
    newest    the newest proved backup, and how old it is in hours
    own       the one that this run took, and proved unless it is encrypted
    backup    what a backup looks at; None where none is taken
    """

    not_here: str = ""
    due: tuple[str, ...] = ()
    newest: str = ""
    age: float = 0.0
    own: str = ""
    backup: backup.Facts | None = None


@dataclass(frozen=True)
class Outcome:
    """
    backup          id of the one that was taken; "": none was
    made, manifest  of the one that was proved, when its snapshot was taken and the digest of its
                    manifest, for the history; "": none was
    """

    backup: str = ""
    made: str = ""
    manifest: str = ""


class Safeguard(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Takes and proves a backup before migrations, where the last one is too old"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        if reason := _not_here(inputs):
            return Observation(Facts(not_here=reason))
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            applied = survey(connection, address).applied
        if not applied:
            return Observation(Facts(not_here="nothing is in the database yet"))
        versions = {row.version for row in applied}
        entries = [one.entry for one in read_folder(inputs.folder)]
        due = [e.title for e in entries if e.phase == "pre" and e.version not in versions]
        if not due:
            return Observation(Facts(not_here="no migration is due"))
        place = inputs.open()
        newest, own, claimed = "", "", ""
        age = 0.0
        for one in reversed(kept(place, inputs.proved)):
            if one.manifest is None or one.problem or not is_whole(place, one.manifest):
                continue
            mine = ctx.run and one.manifest.run == ctx.run
            own = own or (one.id if mine and (one.proof or inputs.recipient) else "")
            claimed = claimed or (one.id if one.proof and not one.proved else "")
            old = max(0.0, ctx.wall() - one.manifest.made) / _HOUR
            if one.proved and (not newest or old < age):
                newest, age = one.id, old
        seen = backup.STEP.observe(ctx, inputs)
        facts = Facts("", tuple(due), newest, round(age, 1), own, seen.facts)
        return Observation(facts, {"notes": _only_claimed(claimed)} if claimed else {})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.backup is None:
            return Nothing(f"no backup is taken: {facts.not_here}")
        if facts.newest and facts.age <= inputs.hours:
            return Nothing(f"the backup {facts.newest} was proved and is {facts.age:g} h old")
        verdict = backup.STEP.plan(inputs, facts.backup)
        if not isinstance(verdict, Changes):
            return verdict
        last = f"{facts.newest}, {facts.age:g} h old" if facts.newest else None
        said = "taken and proved" if not inputs.recipient else "taken; encrypted, so not proved"
        return Changes((*verdict.changes, Change("last proved backup", last, said)))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return backup.STEP.identify(ctx, inputs, changes)

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        id = backup.STEP.apply(ctx, inputs, changes, intent).backup
        if inputs.recipient:
            return Outcome(id)
        place = inputs.open()
        manifest = find(place, id, inputs.environment)
        ctx.progress(f"proving the backup {manifest.id}")
        with scratch(State.at(inputs.state), "verify") as made:
            work = work_in(made, ctx, inputs.jobs)
            verdict = on_own_server(place, manifest, made, work, "")
        ctx.fence()
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ctx.wall()))
        write_proof(place, verdict, at, inputs.who, inputs.host)
        if verdict.problems:
            raise CbctlError(
                f"the backup {manifest.id} is not what its manifest says: {verdict.problems[0]}",
                exit=Exit.FAILED,
                where=str(place),
                fix="cbctl db verify-backup shows everything; nothing was migrated",
            )
        return Outcome(id, manifest.made_at, manifest.digest)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome()

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        if facts.backup is None:
            return Verified({"backup": facts.not_here})
        if facts.own:
            return Verified({"backup": facts.own})
        if facts.newest and facts.age <= inputs.hours:
            return Verified({"backup": facts.newest})
        return NotVerified("there is no proved backup that is recent enough", "run it again")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return backup.STEP.undo(ctx, inputs, before, intent)


def _only_claimed(id: str) -> str:
    return (
        f"that {id} was proved says the file beside it alone, which does not count: whoever may "
        "write there may have written it; cbctl db verify-backup puts it into the history"
    )


def _not_here(inputs: Inputs) -> str:
    if not inputs.hours:
        return "database.backups.before_migrations is 0"
    if not inputs.configured:
        return "database.backups.to does not say where it would be kept"
    return ""


STEP = Safeguard()
