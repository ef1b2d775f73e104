"""`db.analyze`: brings the planner's statistics up to date."""

from __future__ import annotations

from typing import ClassVar

from cbctl.clients.postgres.upkeep import Kind, Table
from cbctl.steps.db._upkeep import Upkeep


class Analyze(Upkeep):
    summary: ClassVar[str] = "Brings the planner's statistics up to date"

    def wants(self, table: Table) -> tuple[Kind, str] | None:
        return table.wants_statistics


STEP = Analyze()
