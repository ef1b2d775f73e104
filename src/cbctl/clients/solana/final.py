"""The transactions that make a filled buffer the program, and the room for it."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateParams,
    AssignParams,
    CreateAccountParams,
    TransferParams,
    allocate,
    assign,
    create_account,
    transfer,
)

from cbctl.clients.solana import loader
from cbctl.clients.solana.onchain import OnChain
from cbctl.clients.solana.sender import Order
from cbctl.clients.solana.transaction import Limits

UNITS = 5_000  # the loader's 2,370 and a few of the system program's 150
LIMITS = Limits(UNITS, v1=False)


def first(
    payer: Pubkey,
    program: Pubkey,
    buffer: Pubkey,
    authority: Pubkey,
    max_len: int,
    rent: int,
    lamports: int,
) -> Order:
    """The first deploy, which payer, program and authority sign.

    rent      of the program account
    lamports  that somebody has sent to its address
    """
    make = _program_account(payer, program, rent, lamports)
    deploy = loader.deploy(payer, program, buffer, authority, max_len)
    return Order("deploy the program", (*make, deploy), (), LIMITS)


def upgrade(payer: Pubkey, program: Pubkey, buffer: Pubkey, authority: Pubkey) -> Order:
    """The buffer's lamports come back to the payer; the authority signs."""
    instruction = loader.upgrade(program, buffer, payer, authority)
    return Order("upgrade the program", (instruction,), (), LIMITS)


def hand_over(buffer: Pubkey, authority: Pubkey, vault: Pubkey) -> Order:
    """From then on only the vault can use the buffer."""
    instruction = loader.set_authority(buffer, authority, vault)
    return Order("hand the buffer over", (instruction,), (), LIMITS)


def extension(program: Pubkey, payer: Pubkey, chain: OnChain, size: int) -> Order | None:
    """Makes room for a file of `size` bytes; None when it fits. Anyone may pay for it."""
    additional = loader.extension(chain.capacity, size)
    if not additional:
        return None
    what = f"extend the program by {additional:,} bytes"
    return Order(what, (loader.extend(program, additional, payer),), (), LIMITS)


def _program_account(
    payer: Pubkey, program: Pubkey, rent: int, lamports: int
) -> tuple[Instruction, ...]:
    """Makes the program account, also at an address that somebody has sent lamports to."""
    if lamports == 0:
        return (
            create_account(
                CreateAccountParams(
                    from_pubkey=payer,
                    to_pubkey=program,
                    lamports=rent,
                    space=loader.PROGRAM_SIZE,
                    owner=loader.LOADER,
                )
            ),
        )
    missing = max(0, rent - lamports)
    return (
        transfer(TransferParams(from_pubkey=payer, to_pubkey=program, lamports=missing)),
        allocate(AllocateParams(pubkey=program, space=loader.PROGRAM_SIZE)),
        assign(AssignParams(pubkey=program, owner=loader.LOADER)),
    )
