"""Offers the upgrade authority to a key that is elsewhere: a half-signed transaction in a file.

Nothing changes on chain before the new authority accepts it (`program.authority_accept`).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Change, Context, Json, Waiting
from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited, write_atomic
from cbctl.steps.program import _act as acts
from cbctl.steps.program._act import Act, Facts
from cbctl.steps.program._vault import unusable

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.offer import Offer
    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

LIMIT = 16 << 10  # bytes of an offer's file
BLOCK_SECONDS = 0.4
MARK = b'{\n  "offer":'
"""How its file begins."""


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    program_id    the program's address
    wallet        keypair of the present authority, which pays too
    to            the new one's address
    file          where the offer is written
    nonce         address of a nonce account of the wallet's; without it the offer soon expires
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    wallet: Path | Reference
    to: str
    file: Path
    nonce: str | None = None
    genesis_hash: str | None = None


@dataclass(frozen=True)
class Offered(acts.Outcome):
    """transaction: what the file holds, base64"""

    transaction: str = ""


class AuthorityOffer(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Offer the upgrade authority to a key that is elsewhere"
    no_undo = "an offer is void once it has expired, or its nonce account was advanced"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import loader, offer
        from cbctl.clients.solana.onchain import look

        program = acts.address("the program's id", inputs.program_id)
        new = acts.address("the new authority", inputs.to)
        chain = look(node, program)
        if chain.state != "deployed":
            return acts.blocked(program, f"{program} is {chain.state}", "cbctl program deploy")
        if chain.authority == new:
            return acts.done(program, f"its upgrade authority is {new} already")
        if chain.authority != wallet:
            return acts.blocked(
                program,
                f"the upgrade authority of {program} is {chain.authority or 'nobody'}, "
                f"the wallet is {wallet}",
                "give the wallet that is the authority: --wallet",
            )
        if why := unusable(ctx, node, new, None):
            return acts.blocked(program, why, "only a key can accept: name one's address")
        nonce = None
        if inputs.nonce is not None:
            nonce = acts.address("the nonce account", inputs.nonce)
            if offer.stored_nonce(node, nonce, wallet) is None:
                return acts.blocked(
                    program,
                    f"{nonce} is no nonce account whose authority is {wallet}",
                    "make one: solana create-nonce-account, with that wallet as its authority",
                )
        there = _there(inputs.file)
        place = (loader.programdata_address(program), wallet, new, nonce)
        if there is not None and place == _place(there) and offer.void(node, there) is None:
            return acts.done(
                program, f"it is offered to {new} in {inputs.file}; nothing changes until accepted"
            )
        return acts.change(program, ("offer of the upgrade authority", None, str(new)))

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import loader, offer

        program = acts.address("the program's id", inputs.program_id)
        nonce = acts.address("the nonce account", inputs.nonce) if inputs.nonce else None
        if nonce is not None:
            recent = offer.stored_nonce(node, nonce, wallet.pubkey()) or ""
            ends: dict[str, Json] = {"nonce": str(nonce)}
            said = f"it waits until the nonce account {nonce} is advanced"
        else:
            block = node.blockhash()
            recent, left = block.hash, block.last_valid_height - node.position().height
            ends = {"lastValidBlockHeight": block.last_valid_height}
            said = (
                f"it expires after block height {block.last_valid_height}, in about "
                f"{left * BLOCK_SECONDS:.0f} s; with --nonce it would wait"
            )
        new = acts.address("the new authority", inputs.to)
        made = offer.Offer(loader.programdata_address(program), wallet.pubkey(), new, recent, nonce)
        ctx.fence()
        wire = offer.signed_by_present(made, wallet)
        data = {
            "offer": "upgrade authority",
            "program": str(program),
            "from": str(wallet.pubkey()),
            "to": str(new),
            **ends,
            "transaction": base64.b64encode(wire).decode(),
        }
        write_atomic(inputs.file, f"{json.dumps(data, indent=2)}\n".encode())
        ctx.progress(f"the offer is in {inputs.file}: {said}")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Offered | Waiting:
        made = super().apply(ctx, inputs, changes, intent)
        return made if isinstance(made, Waiting) else _offered(made, inputs.file)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Offered:
        return _offered(super().outcome(ctx, inputs, facts), inputs.file)


def transaction_of(text: str) -> bytes:
    """Of an offer as it was written, or of the base64 alone. Errors: CbctlError (64)."""
    try:
        if text.lstrip().startswith("{"):
            text = str(json.loads(text)["transaction"])
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CbctlError(
            "this is no offer: neither a file of cbctl program authority offer nor base64",
            exit=Exit.USAGE,
        ) from None


def _offered(made: acts.Outcome, file: Path) -> Offered:
    text = ""
    if file.is_file():
        text = base64.b64encode(transaction_of(read_limited(file, LIMIT).decode())).decode()
    return Offered(made.account, made.state, text)


def _there(file: Path) -> Offer | None:
    """What the file offers; None where it holds something else, or is not there."""
    from cbctl.clients.solana import offer

    try:
        return offer.read(transaction_of(read_limited(file, LIMIT).decode()))
    except (OSError, UnicodeDecodeError, CbctlError, offer.BadOffer):
        return None


def _place(found: Offer) -> tuple[Pubkey, Pubkey, Pubkey, Pubkey | None]:
    return found.programdata, found.current, found.new, found.nonce


STEP = AuthorityOffer()
