"""Makes room for a larger program file; an upgrade does so by itself when it must."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _material as material
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
    wallet        keypair that pays
    elf           the file that is to fit
    capacity      bytes that are to fit, instead of the file's
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    wallet: Path | Reference
    elf: Path | None = None
    capacity: int | None = None
    genesis_hash: str | None = None


class Extend(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Make room for a larger program"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import loader
        from cbctl.clients.solana.onchain import look

        program = acts.address("the program's id", inputs.program_id)
        wanted = _wanted(inputs)
        largest = loader.LARGEST_ACCOUNT - loader.PROGRAMDATA_HEADER
        chain = look(node, program)
        if chain.state != "deployed":
            return acts.not_deployed(program, chain.state)
        if wanted > largest:
            return acts.blocked(program, f"an account holds at most {largest:,} bytes of a program")
        if chain.capacity >= wanted:
            return acts.done(program, f"{chain.capacity:,} bytes fit")
        if chain.authority is None:
            return acts.blocked(program, f"{program} is immutable: nobody can upgrade it")
        additional = loader.extension(chain.capacity, wanted)
        size = loader.PROGRAMDATA_HEADER + chain.capacity + additional
        locked = max(0, node.rent(size) - chain.lamports[1])
        return acts.change(
            program,
            ("program size", chain.capacity, chain.capacity + additional),
            ("lamports locked", chain.lamports[1], chain.lamports[1] + locked),
        )

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        from cbctl.clients.solana import loader
        from cbctl.clients.solana.onchain import look, wait_past

        program = acts.address("the program's id", inputs.program_id)
        chain = look(node, program)
        wait_past(node, ctx, chain.slot)  # in the slot of a deploy the loader refuses
        additional = loader.extension(chain.capacity, _wanted(inputs))
        extend = loader.extend(program, additional, wallet.pubkey())
        acts.send(ctx, node, wallet, "extend the program", extend)


def _wanted(inputs: Inputs) -> int:
    if inputs.capacity is not None:
        return inputs.capacity
    if inputs.elf is None:
        raise CbctlError("how many bytes are to fit?", exit=Exit.USAGE, fix="--capacity BYTES")
    return material.read_elf(inputs.elf).size


STEP = Extend()
