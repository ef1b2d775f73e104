"""`db.analyze`: brings the planner's statistics up to date."""

from __future__ import annotations

from cbctl.steps.db._upkeep import Upkeep

STEP = Upkeep("Brings the planner's statistics up to date", lambda table: table.wants_statistics)
