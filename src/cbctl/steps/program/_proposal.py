"""What a multisig is asked to do: one transaction, told and written to files, then waited for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.engine.step import Context, Json, Waiting
from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited, write_atomic
from cbctl.local.kept_programs import Programs
from cbctl.steps.program._deploy_facts import Inputs
from cbctl.steps.program._material import MadeKeys
from cbctl.steps.program._vault import Vault

if TYPE_CHECKING:
    from solders.instruction import Instruction
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.buffer import Place
    from cbctl.clients.solana.elf import Elf
    from cbctl.clients.solana.onchain import OnChain

PUBLIC_FILE = 0o644  # it goes to the members of the multisig, and there is no secret in it
_LIMIT = 1 << 20


def upgrade(
    ctx: Context, inputs: Inputs, keys: MadeKeys, elf: Elf, vault: Vault, buffer: Pubkey
) -> Waiting:
    """The buffer's lamports come back to the payer."""
    from cbctl.clients.solana import loader

    payer, program = keys.payer.pubkey(), keys.address
    told: dict[str, Json] = {
        "program_id": str(program),
        "hash": elf.hash,
        "buffer": str(buffer),
        "spill": str(payer),
        "run": ctx.run,
    }
    file = None
    if inputs.keep is not None:
        file = Programs(inputs.keep, str(program)).proposal(elf.hash)
    instruction = loader.upgrade(program, buffer, payer, vault.address)
    return ask(vault, told, (file, inputs.export), instruction)


def ask(
    vault: Vault, told: dict[str, Json], files: tuple[Path | None, ...], *instructions: Instruction
) -> Waiting:
    """
    told   what it is about
    files  to write it to
    """
    from cbctl.clients.solana.proposal import propose

    made = propose(vault.address, *instructions)
    data: dict[str, Json] = {
        **told,
        "multisig": str(vault.address),
        "signatures": vault.signatures,
        "base58": made.base58,
        "base64": made.base64,
    }
    written = [file for file in files if file is not None]
    for file in written:
        write_atomic(file, json.dumps(data, indent=1).encode() + b"\n", mode=PUBLIC_FILE)
    where = f" that is in {written[-1]}" if written else ""
    fix = f"have the multisig sign and send the transaction{where}"
    return Waiting(vault.waits, fix, {**data, "file": str(written[-1]) if written else None})


def demand_not_gone(
    ctx: Context, inputs: Inputs, program: Pubkey, elf: Elf, chain: OnChain, place: Place
) -> None:
    """Raises CbctlError (7) when what this run has handed over is not there any more, and was not
    used for what it was meant: to write it again would be a decision of somebody's."""
    if inputs.keep is None or place.elf is not None:
        return
    try:
        data = json.loads(
            read_limited(Programs(inputs.keep, str(program)).proposal(elf.hash), _LIMIT)
        )
        mine = data["run"] == ctx.run
    except (OSError, ValueError, TypeError, KeyError):
        return
    if mine:
        raise CbctlError(
            f"the buffer {data.get('buffer')} that was handed to {data.get('multisig')} is gone, "
            f"and the program has other bytes: hash {chain.hash}, the file's is {elf.hash}",
            exit=Exit.REFUSED,
            fix="ask the multisig's members what they did; the command itself, as a new run, "
            "writes a new buffer and proposes it again",
        )
