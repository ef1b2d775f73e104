"""`db.restore_undo`: gives its name back to the database that a restore replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbctl.clients.postgres.databases import exists, swap
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._exchange import Live, Whose, look, obstacle, put_aside, stamped

_DATABASE = "database "


@dataclass(frozen=True, kw_only=True)
class Inputs(Whose):
    """
    replace  name of the live database, typed
    former   which of those that were put aside; "": the newest
    """

    replace: str = ""
    former: str = ""


@dataclass(frozen=True)
class Facts:
    """aside: what was replaced and is still there, the oldest first"""

    live: Live
    aside: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """replaced: the name that what was live has now"""

    database: str
    replaced: str


class RestoreUndo(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Puts the database back that a restore replaced"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        facts = Facts(look(ctx, inputs), tuple(put_aside(ctx, inputs)))
        former = inputs.former or "".join(facts.aside[-1:])
        others = [name for name in facts.aside if name != former]
        notes = f"also put aside, newest first: {_list(others)}" if others else ""
        return Observation(facts, {"notes": notes} if notes else {})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if not facts.aside:
            return Blocked("nothing was replaced that could be put back", "cbctl db restore BACKUP")
        former = inputs.former or facts.aside[-1]
        if former not in facts.aside:
            return Blocked(
                f"no database called {former} was put aside here", f"there is {_list(facts.aside)}"
            )
        if blocked := obstacle(facts.live, inputs, inputs.replace):
            return blocked
        name = facts.live.name
        aside = Change(f"{_DATABASE}{name}", "live", "put aside as it is, until it is pruned")
        return Changes((aside, Change(f"{_DATABASE}{name}", former, "live")))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """From the plan alone: the database may not be reached from here."""
        back = changes[-1]
        name = back.what.removeprefix(_DATABASE)
        return {"former": back.before, "aside": stamped(ctx, name, "replaced")}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        assert isinstance(intent, dict)
        former, aside = str(intent["former"]), str(intent["aside"])
        admin, live = inputs.administrator(ctx), look(ctx, inputs)
        if exists(admin, former):
            ctx.fence()
            said = f"{inputs.replaced(live.name)}{former}"
            swap(admin, live.name, former, aside, said, there=live.there)
        return Outcome(live.name, aside if live.there else "")

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        raise CbctlError("nothing was put back", exit=Exit.FAILED)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        live = look(ctx, inputs)
        if not live.there:
            return NotVerified(f"the database {live.name} is not there", "run it again")
        return Verified({"database": live.name})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("the same command exchanges the databases again")


def _list(names: Sequence[str]) -> str:
    return ", ".join(reversed(names))


STEP = RestoreUndo()
