"""`db.maintain`: vacuums and analyzes the tables that want it."""

from __future__ import annotations

from cbctl.steps.db._upkeep import Upkeep

STEP = Upkeep("Vacuums and analyzes the tables that want it", lambda table: table.wants)
