"""Publishes the program's IDL on chain, where explorers and clients look for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _material as material
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

LEFT = "the program itself is deployed and works; only its IDL on chain is missing or old"


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    program_id    the program's address
    idl           the program's IDL
    wallet        keypair of the upgrade authority
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    program_id: str
    idl: Path
    wallet: Path | Reference
    genesis_hash: str | None = None


class IdlPublish(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Publish the program's IDL on chain"
    no_undo = "publish the former IDL again"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        from cbctl.clients.solana import metadata
        from cbctl.clients.solana.idl.parse import parse
        from cbctl.clients.solana.onchain import look

        text = material.read_text(inputs.idl)
        program = acts.address("the program's id", inputs.program_id)
        if (named := parse(text).address) and named != inputs.program_id:
            return acts.blocked(
                program,
                f"the IDL is that of {named}, the program's address is {program}",
                "check `program.idl` in cbctl.yaml",
            )
        chain = look(node, program)
        if chain.state != "deployed":
            return acts.not_deployed(program, chain.state)
        place = metadata.address(program)
        account = node.account(place)
        before = None
        if account is not None and account.owner == metadata.PROGRAM:
            found = metadata.parse(account.data)
            before = "a part" if not found.written else f"{len(found.packed):,} bytes"
            if found.written and found.text() == text:
                return acts.done(place, f"{place} has this IDL")
            if not found.mutable:
                return acts.blocked(place, f"{place} was made immutable: {LEFT}")
        if chain.authority != wallet:
            return acts.blocked(
                place,
                f"only the upgrade authority publishes, which is {chain.authority or 'nobody'}, "
                f"and the wallet is {wallet}: {LEFT}",
                "give the wallet that is the authority: --wallet",
            )
        program_there = node.account(metadata.PROGRAM)
        if program_there is None or not program_there.executable:
            return acts.blocked(
                place,
                f"the Program Metadata program {metadata.PROGRAM} is not on this cluster: {LEFT}",
            )
        return acts.change(place, ("IDL on chain", before, f"{len(metadata.pack(text)):,} bytes"))

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        """A former one is closed first and its rent comes back. What a killed run has written is
        looked at and only the rest is sent."""
        from cbctl.clients.solana import metadata

        program = acts.address("the program's id", inputs.program_id)
        place, key = metadata.address(program), wallet.pubkey()
        packed = metadata.pack(material.read_text(inputs.idl))
        account = node.account(place)
        there = account is not None and account.owner == metadata.PROGRAM
        if account is not None and there:
            found = metadata.parse(account.data)
            if found.written or len(found.packed) > len(packed):
                gone = metadata.close(program, key, key)
                acts.send(ctx, node, wallet, "close the former IDL", gone)
                account, there = None, False
        rent = node.rent(metadata.HEADER.size + len(packed))
        missing = rent - (account.lamports if account else 0)
        making = [metadata.fund(key, place, missing)] if missing > 0 else []
        if not there:
            making.append(metadata.allocate(program, key))
        if making:
            acts.send(ctx, node, wallet, "make room for the IDL", *making)
        held = metadata.parse(account.data).packed if account is not None and there else b""
        for start in range(0, len(packed), metadata.CHUNK):
            chunk = packed[start : start + metadata.CHUNK]
            if held[start : start + len(chunk)] != chunk:
                ctx.progress("writing the IDL", start, len(packed))
                write = metadata.write(program, key, start, chunk)
                acts.send(ctx, node, wallet, "write the IDL", write)
        acts.send(ctx, node, wallet, "publish the IDL", metadata.initialize(program, key))


STEP = IdlPublish()
