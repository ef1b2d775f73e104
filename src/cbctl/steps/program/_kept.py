"""Keeps what a deploy brings on chain and what it replaces, for `program.rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.engine.step import Context
from cbctl.local import build_record
from cbctl.local.kept_programs import Programs
from cbctl.steps.program._material import read_text
from cbctl.steps.program._versions import highest

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.elf import Elf
    from cbctl.clients.solana.onchain import OnChain
    from cbctl.clients.solana.rpc import Rpc


def keep_former(
    ctx: Context, node: Rpc, state: Path | None, program: Pubkey, chain: OnChain
) -> None:
    """Before it is replaced. Somebody else may have deployed it, so the chain is read."""
    if state is None or chain.state != "deployed":
        return
    kept = Programs(state, str(program))
    if (known := kept.of(chain.hash)) is not None:
        idl = None if known.idl is None else known.idl.read_text()
        build, seen = build_record.read(known.elf), highest(ctx, node, program, known.idl)
        kept.keep(chain.hash, known.elf.read_bytes(), idl, known.run, build, seen)
        return
    from cbctl.clients.solana import loader

    account = node.account(loader.programdata_address(program))
    found = loader.parse(account.data) if account is not None else None
    if isinstance(found, loader.ProgramData):
        kept.keep(chain.hash, found.elf, None, ctx.run)


def keep_new(
    ctx: Context,
    state: Path | None,
    program: Pubkey,
    elf: Elf,
    file: Path,
    idl: Path | None,
    *,
    proposed: bool = False,
) -> None:
    """Once it is on chain and its bytes were compared, or when a multisig is asked to bring it
    there; then before what is there is kept, which stays the newest until it has done so.

    file  which it was read from, with the record of its build beside it"""
    if state is None:
        return
    text = None if idl is None else read_text(idl)
    build = build_record.read(file)
    own = build if build is not None and build.sha256 == elf.sha256 else None
    programs = Programs(state, str(program))
    programs.keep(elf.hash, elf.data, text, ctx.run, own, proposed=proposed)
