"""Upgrades a program that is there; like `program.deploy`, but never a first deploy."""

from __future__ import annotations

from typing import ClassVar

from cbctl.engine.step import Blocked, PlanVerdict
from cbctl.steps.program._deploy_facts import Facts, Inputs
from cbctl.steps.program.deploy import Deploy


class Upgrade(Deploy):
    summary: ClassVar[str] = "Upgrade the on-chain program"

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.answers and facts.state == "absent":
            return Blocked(f"{facts.program_id} is not deployed", "cbctl program deploy")
        return super().plan(inputs, facts)


STEP = Upgrade()
