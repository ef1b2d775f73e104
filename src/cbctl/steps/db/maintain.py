"""`db.maintain`: vacuums and analyzes the tables that want it."""

from __future__ import annotations

from typing import ClassVar

from cbctl.clients.postgres.upkeep import Kind, Table
from cbctl.steps.db._upkeep import Upkeep


class Maintain(Upkeep):
    summary: ClassVar[str] = "Vacuums and analyzes the tables that want it"

    def wants(self, table: Table) -> tuple[Kind, str] | None:
        return table.wants


STEP = Maintain()
