"""Gives up a deploy that was begun: its buffer is closed, its money comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context, Json, Waiting
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _material as material
from cbctl.steps.program import _proposal as proposals
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
    rpc              URL of the cluster's JSON-RPC, or of several endpoints of it
    elf              the file whose deploy was begun
    wallet           keypair that is the buffer's authority
    program_keypair  keypair of the program's address, if its first deploy was begun
    program_id       the address, where there is no keypair
    authority        a multisig, or its vault, which the buffer may have been handed to
    multisig         the Squads multisig that proves this vault
    export           file for the transaction that it has to sign then
    genesis_hash     what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    elf: Path
    wallet: Path | Reference
    program_keypair: Path | Reference | None = None
    program_id: str | None = None
    authority: str | Reference | None = None
    multisig: str | Reference | None = None
    export: Path | None = None
    genesis_hash: str | None = None


class Abort(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Give up a deploy that was begun"
    no_undo = "a closed buffer is written anew by the next deploy"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import buffer

        elf, program = material.read_elf(inputs.elf), _program(ctx, inputs)
        begun = buffer.begun(node, wallet, program, elf)
        if vault := vaults.named(ctx, inputs.authority):
            handed = buffer.begun(node, wallet, program, elf, vault)
            if handed and (why := vaults.unusable(ctx, node, vault, inputs.multisig)):
                return acts.blocked(wallet, why, "correct program.authority and program.multisig")
            if handed and (why := vaults.nowhere(inputs.export)):
                return acts.blocked(wallet, why, "make it, or name another file")
            begun |= handed
        if not begun:
            return acts.done(wallet, "no deploy of this file has left a buffer")
        return acts.change(
            wallet,
            *((f"buffer {address}", f"{elf.size:,} bytes", "closed") for address in begun),
            ("lamports returned", None, sum(begun.values())),
        )

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> Waiting | None:
        from cbctl.clients.solana import buffer, loader

        key, elf, program = wallet.pubkey(), material.read_elf(inputs.elf), _program(ctx, inputs)
        if begun := buffer.begun(node, key, program, elf):
            closing = (loader.close_buffer(address, key, key) for address in begun)
            acts.send(ctx, node, wallet, "close the buffer", *closing)
        address = vaults.named(ctx, inputs.authority)
        handed = address and buffer.begun(node, key, program, elf, address)
        if not address or not handed:
            return None
        vault = vaults.Vault(address, vaults.signatures(ctx, node, inputs.multisig))
        closing = (loader.close_buffer(one, key, address) for one in handed)
        told: dict[str, Json] = {
            "program_id": str(program),
            "buffer": ", ".join(map(str, handed)),
            "recipient": str(key),
        }
        return proposals.ask(vault, told, (inputs.export,), *closing)


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
