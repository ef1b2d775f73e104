"""What `db.maintain` and `db.analyze` share: tables that want something, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cbctl.clients.postgres.connect import connect, told_when_lost
from cbctl.clients.postgres.upkeep import Kind, Table, look_after, tables
from cbctl.config.types import Reference
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
from cbctl.steps.db._database import address_of


@dataclass(frozen=True)
class Inputs:
    """url: of the role that owns the tables"""

    url: Reference


@dataclass(frozen=True)
class Facts:
    """wanting: table, what is to be done, and why"""

    wanting: tuple[tuple[str, Kind, str], ...]


@dataclass(frozen=True)
class Outcome:
    """tables: that were looked after"""

    tables: tuple[str, ...] = ()


class Upkeep(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    at_most: ClassVar[tuple[str, ...]] = ()
    replaces_runs: ClassVar[bool] = False

    def wants(self, table: Table) -> tuple[Kind, str] | None:
        """What it wants of what this step does, and why; None: nothing."""
        raise NotImplementedError

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            found = tables(connection, address)
        wanting = [(one.name, *wanted) for one in found if (wanted := self.wants(one))]
        return Observation(Facts(tuple(wanting)), {"tables": len(found)})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if not facts.wanting:
            return Nothing("no table wants anything")
        return Changes(
            tuple(Change(_what(name, kind), why, "done") for name, kind, why in facts.wanting)
        )

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        agreed = {change.what for change in changes}
        address = address_of(ctx, inputs.url)
        wanting = [
            one for one in self.observe(ctx, inputs).facts.wanting if _what(*one[:2]) in agreed
        ]
        with told_when_lost(address), connect(address) as connection:
            for number, (name, kind, _) in enumerate(wanting):
                ctx.fence()
                ctx.progress(_what(name, kind), number, len(wanting))
                look_after(connection, address, name, kind)
        return Outcome(tuple(name for name, _, _ in wanting))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome()

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        left = self.observe(ctx, inputs).facts.wanting
        if not left:
            return Verified()
        names = "; ".join(f"{name}: {why}" for name, _, why in left)
        fix = "a transaction that is open for long keeps dead rows: cbctl db sessions"
        return NotVerified(f"still wanting: {names}", fix)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # the data is the same


def _what(name: str, kind: Kind) -> str:
    return f"{kind} {name}"
