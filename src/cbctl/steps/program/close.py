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
        recipient = inputs.recipient_address or str(wallet)
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
        recipient = wallet.pubkey()
        if inputs.recipient_address:
            recipient = acts.address("the recipient", inputs.recipient_address)
        close = loader.close_program(program, recipient, wallet.pubkey())
        acts.send(ctx, node, wallet, "close the program", close)


STEP = Close()
