"""Writes a program's first configuration, or finds that it is there already.

Which instruction, which arguments, which account: all from the inputs and the IDL. Nothing here
knows the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cbctl.engine.step import (
    After,
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
from cbctl.steps.program import _initialization as initialization
from cbctl.steps.program import _target as target
from cbctl.steps.program._init_facts import Facts as Facts
from cbctl.steps.program._init_facts import Inputs as Inputs


@dataclass(frozen=True)
class Outcome:
    account: str
    address: str
    program_id: str


class Init(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Write the program's first configuration"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.solana.idl.model import IdlError

        wallet = target.signer_or_none(ctx, inputs.wallet)
        node = target.connect(ctx, inputs.rpc)
        try:
            genesis = target.genesis_or_none(node, inputs.program_step)
            if genesis is None:
                return Observation(Facts())
            known = Facts(answers=True, genesis_hash=genesis)
            if wallet is None or target.wrong_cluster(inputs.genesis_hash, genesis):
                return Observation(known)
            plan = initialization.plan(ctx, inputs, wallet.pubkey())
            return initialization.look(node, plan, known)
        except IdlError as error:
            return Observation(Facts(problem=error.what))
        finally:
            node.close()

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        change = Change(inputs.account, None, "written")
        if facts.problem:
            return Blocked(facts.problem, "correct `program.initialize` in cbctl.yaml")
        if not facts.answers:  # that step waits for the cluster in its turn
            return After((inputs.program_step,), (change,))
        if why := target.wrong_cluster(inputs.genesis_hash, facts.genesis_hash or ""):
            return Blocked(why, "check the RPC URL, or the genesis hash in cbctl.yaml")
        if not facts.deployed and not inputs.program_step:
            return Blocked(f"{inputs.program_id} is not deployed", "cbctl program deploy")
        if not facts.deployed:
            return After((inputs.program_step,), (change,))
        if facts.state == "foreign":
            return Blocked(f"{facts.address} is there and is no {inputs.account} of this program")
        if facts.state == "there":
            if facts.differences:
                by = f" {inputs.changed_by}" if inputs.changed_by else "'s own instruction for it"
                return Blocked(
                    f"{inputs.account} is initialized with other values: "
                    f"{initialization.listed(facts.differences)}",
                    f"change cbctl.yaml to what is on chain, or the chain by the program{by}",
                )
            return Nothing(f"{inputs.account} at {facts.address} has these values")
        if facts.refusal:
            return Blocked(f"{inputs.instruction} would fail: {facts.refusal}")
        return Changes((change,))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        plan = initialization.plan(ctx, inputs, target.signer(ctx, inputs.wallet).pubkey())
        return {"account": str(plan.address), "program": str(plan.program.address)}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        wallet = target.signer(ctx, inputs.wallet)
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            target.demand_cluster(node, inputs.genesis_hash)
            plan = initialization.plan(ctx, inputs, wallet.pubkey())
            initialization.carry_out(ctx, node, plan, wallet)
        finally:
            node.close()
        return Outcome(inputs.account, str(plan.address), inputs.program_id)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(inputs.account, facts.address or "", inputs.program_id)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            plan = initialization.plan(ctx, inputs, target.signer(ctx, inputs.wallet).pubkey())
            seen = initialization.look(node, plan, Facts(), simulate=False)
        finally:
            node.close()
        facts = seen.facts
        if facts.state != "there":
            return NotVerified(f"there is no {inputs.account} at {facts.address}")
        if facts.differences:
            why = initialization.listed(facts.differences)
            return NotVerified(f"{inputs.account} has other values: {why}", evidence=seen.evidence)
        return Verified(seen.evidence)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what a program has initialized stays; a later run finds it there")


STEP = Init()
