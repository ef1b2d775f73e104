"""Gives up a deploy that was begun: its buffer is closed, its money comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _material as material
from cbctl.steps.program import _target as target
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer


@dataclass(frozen=True)
class Inputs:
    """
    rpc              URL of the cluster's JSON-RPC, or of several endpoints of it
    elf              the file whose deploy was begun
    wallet           keypair that is the buffer's authority
    program_keypair  keypair of the program's address, if its first deploy was begun
    program_id       the address, where there is no keypair
    genesis_hash     what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    elf: Path
    wallet: Path | Reference
    program_keypair: Path | Reference | None = None
    program_id: str | None = None
    genesis_hash: str | None = None


class Abort(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Give up a deploy that was begun"
    no_undo = "a closed buffer is written anew by the next deploy"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import buffer

        elf = material.read_elf(inputs.elf)
        begun = buffer.begun(node, wallet, _program(ctx, inputs), elf)
        if not begun:
            return acts.done(wallet, "no deploy of this file has left a buffer")
        return acts.change(
            wallet,
            *((f"buffer {address}", f"{elf.size:,} bytes", "closed") for address in begun),
            ("lamports returned", None, sum(begun.values())),
        )

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import buffer, loader

        key, elf = wallet.pubkey(), material.read_elf(inputs.elf)
        begun = buffer.begun(node, key, _program(ctx, inputs), elf)
        closing = (loader.close_buffer(address, key, key) for address in begun)
        acts.send(ctx, node, wallet, "close the buffer", *closing)


def _program(ctx: Context, inputs: Inputs) -> Pubkey:
    if inputs.program_id:
        return acts.address("the program's id", inputs.program_id)
    if inputs.program_keypair is None:
        raise CbctlError(
            "neither the program's id nor its keypair is given",
            exit=Exit.USAGE,
            fix="--program-id ADDRESS, or set `program.keypair` or `program.id` in cbctl.yaml",
        )
    return target.needed_keypair(ctx, inputs.program_keypair).pubkey()


STEP = Abort()
