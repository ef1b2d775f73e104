"""Accepts an offer of the upgrade authority: signs that transaction, and no other, and sends it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.steps.program import _act as acts
from cbctl.steps.program._act import Act, Facts
from cbctl.steps.program.authority_offer import transaction_of

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

ANOTHER = "ask for another one: cbctl program authority offer, with --nonce where it has to wait"


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    program_id    the program's address
    wallet        keypair of the new authority
    offer         the half-signed transaction, base64
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    wallet: Path | Reference
    offer: str
    genesis_hash: str | None = None


class AuthorityAccept(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Accept an offer of the upgrade authority"
    no_undo = "the new authority can hand it back"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import loader, offer
        from cbctl.clients.solana.onchain import look

        program = acts.address("the program's id", inputs.program_id)
        try:
            found = offer.read(transaction_of(inputs.offer))
        except offer.BadOffer as bad:
            return acts.blocked(program, f"the offer is not taken: {bad}", ANOTHER)
        if found.programdata != loader.programdata_address(program):
            return acts.blocked(
                program, f"the offer is that of another program than {program}", "--program-id"
            )
        if found.new != wallet:
            return acts.blocked(
                program,
                f"the offer is for {found.new}, the wallet is {wallet}",
                "give the wallet that it is for: --wallet",
            )
        chain = look(node, program)
        if chain.state == "deployed" and chain.authority == wallet:
            return acts.done(program, f"its upgrade authority is {wallet}")
        if chain.authority != found.current:
            state = f"is {chain.authority or 'nobody'}" if chain.state == "deployed" else "is gone"
            return acts.blocked(
                program,
                f"the offer is of {found.current}, and the upgrade authority of {program} {state}",
            )
        if why := offer.void(node, found):
            return acts.blocked(program, why, ANOTHER)
        return acts.change(program, ("upgrade authority", str(found.current), str(wallet)))

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import offer
        from cbctl.clients.solana.deliver import deliver

        wire = transaction_of(inputs.offer)
        found = offer.read(wire)
        signed = offer.accepted(wire, found, wallet)
        deliver(node, ctx, signed, "accept the authority", lambda: offer.void(node, found))


STEP = AuthorityAccept()
