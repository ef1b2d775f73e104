"""Writes a program's first configuration, or finds that it is there already.

Which instruction, which arguments, which account: all from the inputs and the IDL. Nothing here
knows the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from cbctl.config.types import Reference
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


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC
    idl           the program's IDL
    program_id    the program's address
    wallet        keypair that signs and pays
    instruction   its name in the IDL
    account       account type of the IDL whose fields hold the arguments afterwards
    arguments     by their names in the IDL; addresses in base58
    at            which of the instruction's accounts that is; none: its only new account
    accounts      addresses of accounts that the IDL does not tell
    genesis_hash  what the cluster must answer; none: any cluster
    program_step  id of the step that deploys the program
    """

    rpc: Reference | str
    idl: Path
    program_id: str
    wallet: Path | Reference
    instruction: str
    account: str
    arguments: Mapping[str, Any]
    at: str | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    genesis_hash: str | None = None
    program_step: str = "program"


@dataclass(frozen=True)
class Facts:
    """
    problem      what is wrong with arguments or IDL
    address      of the account, None when it cannot be told
    state        of the account: absent, there, foreign
    differences  (field, on chain, wanted), where it is there
    refusal      what the program would answer to the instruction, None: it would take it
    unreadable   argument fields that the account does not show
    """

    problem: str | None = None
    answers: bool = False
    genesis_hash: str | None = None
    deployed: bool = False
    address: str | None = None
    state: str = "absent"
    differences: tuple[tuple[str, Json, Json], ...] = ()
    refusal: str | None = None
    unreadable: tuple[str, ...] = ()


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

        wallet = target.keypair(ctx, inputs.wallet)
        node = target.connect(ctx, inputs.rpc)
        try:
            genesis = target.genesis_or_none(node, inputs.program_step)
            if genesis is None:
                return Observation(Facts())
            known = Facts(answers=True, genesis_hash=genesis)
            if wallet is None or target.wrong_cluster(inputs.genesis_hash, genesis):
                return Observation(known)
            plan = initialization.plan(ctx, inputs, wallet)
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
        if not facts.deployed:
            return After((inputs.program_step,), (change,))
        if facts.state == "foreign":
            return Blocked(f"{facts.address} is there and is no {inputs.account} of this program")
        if facts.state == "there":
            if facts.differences:
                return Blocked(
                    f"{inputs.account} is initialized with other values: "
                    f"{initialization.listed(facts.differences)}",
                    "change cbctl.yaml to what is on chain, or the chain by the program's own "
                    "instruction for it",
                )
            return Nothing(f"{inputs.account} at {facts.address} has these values")
        if facts.refusal:
            return Blocked(f"{inputs.instruction} would fail: {facts.refusal}")
        return Changes((change,))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        plan = initialization.plan(ctx, inputs, target.needed_keypair(ctx, inputs.wallet))
        return {"account": str(plan.address), "program": str(plan.program.address)}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        wallet = target.needed_keypair(ctx, inputs.wallet)
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            target.demand_cluster(node, inputs.genesis_hash)
            plan = initialization.plan(ctx, inputs, wallet)
            initialization.carry_out(ctx, node, plan, wallet)
        finally:
            node.close()
        return Outcome(inputs.account, str(plan.address), inputs.program_id)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(inputs.account, facts.address or "", inputs.program_id)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            plan = initialization.plan(ctx, inputs, target.needed_keypair(ctx, inputs.wallet))
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
