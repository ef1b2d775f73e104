"""Sends one of the program's own instructions, and sees by an account whether it was done.

Instruction, arguments, account and result are those of cbctl.yaml; nothing here knows the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context, Json
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _init_facts as init_facts
from cbctl.steps.program import _initialization as initialization
from cbctl.steps.program import _target as target
from cbctl.steps.program import _vault as vaults
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    idl           the program's IDL
    program_id    the program's address
    wallet        keypair that pays, and signs where the call names nobody else
    call          the section of cbctl.yaml: instruction, arguments, account, result …
    authority     the upgrade authority, where it is not the wallet: a multisig, or its vault
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    idl: Path
    program_id: str
    wallet: Path | Reference
    call: Mapping[str, Any] | None = None
    authority: str | Reference | None = None
    genesis_hash: str | None = None


class Call(Act[Inputs]):
    """A subclass names the section of cbctl.yaml."""

    inputs: ClassVar[type[Inputs]] = Inputs
    setting: ClassVar[str]

    def signer(self, ctx: Context, inputs: Inputs) -> Signer:
        own = (inputs.call or {}).get("wallet")
        return target.signer(ctx, own or inputs.wallet)

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        if inputs.call is None:
            return acts.blocked(
                inputs.program_id,
                f"cbctl.yaml does not say how: it has no `program.{self.setting}`",
                f"add program.{self.setting}: instruction, arguments, account, result "
                "(docs/reference/program.md)",
            )
        from cbctl.clients.solana.idl.model import IdlError

        try:
            plan = initialization.plan(ctx, _as_init(inputs), wallet)
            fields = _fields(node, plan)
        except IdlError as error:
            return acts.blocked(
                inputs.program_id, error.what, f"correct `program.{self.setting}` in cbctl.yaml"
            )
        if fields is None:
            return acts.blocked(
                plan.address,
                f"there is no {plan.account} at {plan.address}: the program is not initialized",
                "cbctl program init",
            )
        wrong = [
            (name, fields.get(name), value)
            for name, value in inputs.call["result"].items()
            if fields.get(name) != value
        ]
        if not wrong:
            said = ", ".join(f"{n} is {v}" for n, v in inputs.call["result"].items())
            return acts.done(plan.address, said)
        payer = target.signer(ctx, inputs.wallet).pubkey()
        if refusal := initialization.rehearse(node, plan, payer):
            why = f"{plan.instruction}, signed by {wallet}, would fail: {refusal}"
            vault = vaults.named(ctx, inputs.authority)
            if vault in (None, wallet, payer):
                return acts.blocked(plan.address, why)
            return acts.blocked(
                plan.address, why, f"if only the multisig {vault} may do that, have it sign it"
            )
        return acts.change(plan.address, *wrong)

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        plan = initialization.plan(ctx, _as_init(inputs), wallet.pubkey())
        payer, what = target.signer(ctx, inputs.wallet), f"carry out {plan.instruction}"
        acts.send(ctx, node, payer, what, initialization.wire(plan), signers=(wallet,))


def _as_init(inputs: Inputs) -> init_facts.Inputs:
    """The same description of an instruction as an initialization has."""
    call = inputs.call or {}
    return init_facts.Inputs(
        rpc=inputs.rpc,
        idl=inputs.idl,
        program_id=inputs.program_id,
        wallet=inputs.wallet,
        instruction=call["instruction"],
        account=call["account"],
        arguments=call["arguments"],
        at=call["at"],
        accounts=call["accounts"],
    )


def _fields(node: Rpc, plan: initialization.Plan) -> Mapping[str, Json] | None:
    account = node.account(plan.address)
    return None if account is None else initialization.fields_of(plan, account)
