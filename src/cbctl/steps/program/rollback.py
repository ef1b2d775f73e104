"""Brings a program back to the one before: an upgrade to a file that was kept.

Which one is chosen when the command is given (`wiring.program`), so that a run that is resumed goes
on with the same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from cbctl.engine.step import Blocked, Context, Observation, PlanVerdict
from cbctl.local.kept_programs import Programs
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _mainnet as mainnet
from cbctl.steps.program import _material as material
from cbctl.steps.program import _target as target
from cbctl.steps.program import _versions as versions
from cbctl.steps.program._deploy_facts import Facts, Inputs
from cbctl.steps.program.deploy import Deploy

if TYPE_CHECKING:
    from cbctl.clients.solana.elf import Elf


class Rollback(Deploy):
    summary: ClassVar[str] = "Bring the program back to the one before"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        """`idl` is that of the kept program, `api_idl` of the one that is left: the accounts that
        this one has written must be those that the kept one knows, by layout and by version."""
        seen = super().observe(ctx, dataclasses.replace(inputs, api_idl=None))
        lost = material.unreadable(inputs.idl, inputs.api_idl)
        accounts = tuple(one for one in lost if one.startswith("the account"))
        if seen.facts.state == "deployed":
            accounts += self._too_new(ctx, inputs, seen.facts)
        facts = dataclasses.replace(seen.facts, unreadable=accounts)
        return Observation(facts, seen.evidence)

    def _too_new(self, ctx: Context, inputs: Inputs, facts: Facts) -> tuple[str, ...]:
        """Accounts on chain whose version is above what the kept program knew."""
        if inputs.keep is None or facts.program_id is None:
            return ()
        kept = Programs(inputs.keep, facts.program_id).of(facts.elf_hash)
        if kept is None or not kept.versions:
            return ()
        program = acts.address("the program's id", facts.program_id)
        node = target.connect(ctx, inputs.rpc)
        try:
            return versions.above(ctx, node, program, kept.idl, kept.versions)
        finally:
            node.close()

    def unproved(
        self,
        ctx: Context,
        inputs: Inputs,
        elf: Elf,
        keys: material.Keys | material.MadeKeys,
        genesis: str,
    ) -> Blocked | None:
        """How old the backup of the keys is holds no rollback back; it is said."""
        held = mainnet.demanded(ctx, inputs, elf, keys, genesis, days=None)
        lacking = super().unproved(ctx, inputs, elf, keys, genesis)
        if held is None and lacking is not None:
            ctx.progress(f"{lacking.why}; a rollback is not held back by that")
        return held

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.answers and facts.state != "deployed":
            return Blocked(f"{facts.program_id} is {facts.state}: there is nothing to go back from")
        if facts.unreadable:
            return Blocked(
                "the program to go back to cannot read accounts that this one has written: "
                + "; ".join(facts.unreadable),
                "go forward instead: mend the program and upgrade",
            )
        return super().plan(inputs, facts)


STEP = Rollback()
