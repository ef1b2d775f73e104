"""Hands the upgrade authority on, or makes the program immutable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _target as target
from cbctl.steps.program import _vault as vaults
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

NOBODY = "none"


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    program_id    the program's address
    wallet        keypair of the present authority
    to            the new one's address; "none" makes the program immutable, for ever
    to_wallet     keypair of the new one, which signs too: then it is sure that it can
    multisig      the Squads multisig whose vault `to` is
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    wallet: Path | Reference
    to: str = ""
    to_wallet: Path | Reference | None = None
    multisig: str | Reference | None = None
    genesis_hash: str | None = None


class AuthoritySet(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Hand the upgrade authority on"
    no_undo = "only the new authority can hand it back"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana.onchain import look

        program = acts.address("the program's id", inputs.program_id)
        new = _new(ctx, inputs)
        chain = look(node, program)
        if chain.state != "deployed":
            return acts.not_deployed(program, chain.state)
        if chain.authority == new:
            return acts.done(program, f"its upgrade authority is {new or 'nobody'}")
        if chain.authority != wallet:
            return acts.blocked(
                program,
                f"the upgrade authority of {program} is {chain.authority or 'nobody'}, "
                f"the wallet is {wallet}",
                "give the wallet that is the authority: --wallet",
            )
        # who signs too has proved to hold the key
        if new is not None and inputs.to_wallet is None:
            why = vaults.unusable(ctx, node, new, inputs.multisig)
            if why is not None:
                return acts.blocked(program, why, FIX)
        after = str(new) if new else "nobody: immutable, for ever"
        return acts.change(program, ("upgrade authority", str(chain.authority), after))

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import loader

        program = acts.address("the program's id", inputs.program_id)
        account, new = loader.programdata_address(program), _new(ctx, inputs)
        if inputs.to_wallet is not None and new is not None:
            both = target.signer(ctx, inputs.to_wallet)
            checked = loader.set_authority_checked(account, wallet.pubkey(), new)
            acts.send(ctx, node, wallet, "hand the authority on", checked, signers=(both,))
            return
        change = loader.set_authority(account, wallet.pubkey(), new)
        acts.send(ctx, node, wallet, "hand the authority on", change)


FIX = (
    "for the vault of a Squads multisig: --multisig ADDRESS, from which the vault's address is "
    "derived; for anything else name an address that somebody holds the key of"
)


def _new(ctx: Context, inputs: Inputs) -> Pubkey | None:
    if inputs.to_wallet is not None:
        return target.signer(ctx, inputs.to_wallet).pubkey()
    return None if inputs.to == NOBODY else acts.address("the new authority", inputs.to)


STEP = AuthoritySet()
