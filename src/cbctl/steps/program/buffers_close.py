"""Closes buffers that deploys have left, and gets their lamports back."""

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

_PER_TRANSACTION = 10  # of 36 bytes of accounts and 8 of data each, with room to spare


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    wallet        keypair that is the buffers' authority
    buffers       their addresses; none: all of the wallet's
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    wallet: Path | Reference
    buffers: tuple[str, ...] = ()
    genesis_hash: str | None = None


class BuffersClose(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Close buffers and get their lamports back"
    no_undo = "a closed buffer is written anew by the next deploy"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana.buffers import owned

        mine = {str(b.address): b for b in owned(node, wallet)}
        wanted = [str(acts.address("the buffer", text)) for text in inputs.buffers] or list(mine)
        for text in wanted:
            if text not in mine and node.account(acts.address("the buffer", text)) is not None:
                return acts.blocked(
                    text,
                    f"{text} is not a buffer of {wallet}",
                    "cbctl program buffers list shows those that are; --wallet names another",
                )
        left = [mine[text] for text in wanted if text in mine]
        if not left:
            return acts.done(wallet, f"{wallet} has no such buffer")
        return acts.change(
            wallet,
            *((f"buffer {b.address}", f"{b.size:,} bytes", "closed") for b in left),
            ("lamports returned", None, sum(b.lamports for b in left)),
        )

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import loader
        from cbctl.clients.solana.buffers import owned

        key, wanted = wallet.pubkey(), set(inputs.buffers)
        mine = [b for b in owned(node, key) if not wanted or str(b.address) in wanted]
        for start in range(0, len(mine), _PER_TRANSACTION):
            part = mine[start : start + _PER_TRANSACTION]
            closing = (loader.close_buffer(b.address, key, key) for b in part)
            acts.send(ctx, node, wallet, "close buffers", *closing)


STEP = BuffersClose()
