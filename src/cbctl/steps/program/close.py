"""Closes a program for ever: its address can never be used again, its rent comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.steps.program import _act as acts
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    program_id    the program's address
    wallet        keypair of the upgrade authority
    recipient_address  who gets the lamports; none: the wallet
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    wallet: Path | Reference
    recipient_address: str | None = None
    genesis_hash: str | None = None


class Close(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Close the program for ever"
    no_undo = "a closed program's address can never be used again"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana.onchain import look

        program = acts.address("the program's id", inputs.program_id)
        chain = look(node, program)
        if chain.state == "closed":
            return acts.done(program, "it was closed")
        if chain.state != "deployed":
            return acts.blocked(program, f"{program} is {chain.state}: there is nothing to close")
        if chain.authority != wallet:
            return acts.blocked(
                program,
                f"the upgrade authority of {program} is {chain.authority or 'nobody'}, "
                f"the wallet is {wallet}",
                "give the wallet that is the authority: --wallet",
            )
        recipient = _recipient(inputs, wallet)
        if recipient != wallet and (why := _lost_at(node, program, recipient)):
            return acts.blocked(recipient, why, "name an address that somebody holds the key of")
        return acts.change(
            program,
            ("program", "deployed", "closed for ever"),
            (f"lamports returned to {recipient}", None, chain.lamports[1]),
        )

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import loader
        from cbctl.clients.solana.onchain import look, wait_past

        program = acts.address("the program's id", inputs.program_id)
        wait_past(node, ctx, look(node, program).slot)
        recipient = _recipient(inputs, wallet.pubkey())
        close = loader.close_program(program, recipient, wallet.pubkey())
        acts.send(ctx, node, wallet, "close the program", close)


def _recipient(inputs: Inputs, wallet: Pubkey) -> Pubkey:
    given = inputs.recipient_address
    return wallet if given is None else acts.address("the recipient", given)


def _lost_at(node: Rpc, program: Pubkey, recipient: Pubkey) -> str | None:
    """Why nobody could ever spend what is sent there. The loader takes any account but ProgramData,
    the closed program's own one too."""
    from solders.system_program import ID as SYSTEM

    from cbctl.clients.solana.loader import programdata_address

    account = node.account(recipient)
    if (
        recipient in (SYSTEM, program, programdata_address(program))
        or (account is not None and account.owner != SYSTEM)  # also programs and sysvars
    ):
        return f"{recipient} belongs to a program or to the cluster: the money would be lost there"
    return None


STEP = Close()
