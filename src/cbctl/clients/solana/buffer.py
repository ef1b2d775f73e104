"""The buffer that a program's bytes are written to before they become the program.

Its address follows from authority, program and file (see `loader.buffer_seed`), so that every
interrupted run is continued: what is there already is read, only chunks that differ are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import (
    AllocateWithSeedParams,
    CreateAccountWithSeedParams,
    TransferParams,
    allocate_with_seed,
    create_account_with_seed,
    transfer,
)

from cbctl.clients.solana import loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order
from cbctl.clients.solana.transaction import LEGACY_SIZE, Limits, legacy_size
from cbctl.clients.solana.types import Account
from cbctl.errors import CbctlError, Exit

NONCES = 16  # addresses that are tried; each is taken only by what our own authority made
WRITES_PER_V1 = 3  # of loader.WRITE_PAYLOAD bytes each: 3,932 of 4,096 bytes
WRITES_WITH_CREATION = 2  # that fit beside the instructions which make the buffer
CREATION_UNITS = 3_000  # the loader's 2,370 and up to three of the system program's 150
UNITS_PER_WRITE = 2_370  # what the loader charges for each of its instructions
ROOM_BESIDE = 1 << 16  # bytes loaded beside the buffer: payer, programs


@dataclass(frozen=True)
class Place:
    """Where the buffer is or will be.

    lamports  what lies there already
    elf       what it holds; None: it is still to be made
    handed    its authority is the vault by now, so nothing can be written to it any more
    """

    address: Pubkey
    seed: str
    lamports: int
    elf: bytes | None
    handed: bool = False


def candidates(authority: Pubkey, program: Pubkey, elf: Elf) -> list[tuple[str, Pubkey]]:
    seeds = (loader.buffer_seed(program, elf.sha256, nonce) for nonce in range(NONCES))
    return [(seed, loader.buffer_address(authority, seed)) for seed in seeds]


def locate(
    rpc: Rpc, authority: Pubkey, program: Pubkey, elf: Elf, vault: Pubkey | None = None
) -> Place:
    """The buffer to use: the first address with a buffer of ours, else the first free one.

    An address that somebody sent lamports to is free: it is made by transfer and allocation.

    vault  a multisig's, which filled buffers are handed to: such a one is ours too
    """
    places = candidates(authority, program, elf)
    _, accounts = rpc.accounts([address for _, address in places])
    free: Place | None = None
    for (seed, address), account in zip(places, accounts, strict=True):
        if account is None or (account.owner == SYSTEM and not account.data):
            lamports = 0 if account is None else account.lamports
            free = free or Place(address, seed, lamports, None)
        elif ours(account, authority, elf):
            return Place(address, seed, account.lamports, account.data[loader.BUFFER_HEADER :])
        elif vault is not None and ours(account, vault, elf):
            held = account.data[loader.BUFFER_HEADER :]
            return Place(address, seed, account.lamports, held, handed=True)
    if free is None:
        raise CbctlError(
            f"all {NONCES} buffer addresses of this file are in use by something else",
            where=rpc.host,
            exit=Exit.REFUSED,
        )
    return free


def begun(
    rpc: Rpc, authority: Pubkey, program: Pubkey, elf: Elf, vault: Pubkey | None = None
) -> dict[Pubkey, int]:
    """The buffers of this file that earlier runs have left, with their lamports.

    vault  only those that were handed to it; none: only those that were not handed over
    """
    places = [address for _, address in candidates(authority, program, elf)]
    _, accounts = rpc.accounts(places)
    return {
        address: account.lamports
        for address, account in zip(places, accounts, strict=True)
        if account is not None and ours(account, vault or authority, elf)
    }


def ours(account: Account, authority: Pubkey, elf: Elf) -> bool:
    if account.owner != loader.LOADER or len(account.data) != loader.BUFFER_HEADER + elf.size:
        return False
    state = loader.parse(account.data)
    return isinstance(state, loader.Buffer) and state.authority == authority


def differing(elf: bytes, held: bytes, chunk: int) -> list[int]:
    """Offsets of the chunks in which the buffer is not yet like the file."""
    return [
        start
        for start in range(0, len(elf), chunk)
        if elf[start : start + chunk] != held[start : start + chunk]
    ]


def legacy_chunk(
    buffer: Pubkey, authority: Pubkey, payer: Pubkey, limits: Limits | None = None, price: int = 0
) -> int:
    """The most bytes that one Write in a legacy transaction can carry."""
    empty = legacy_size([loader.write(buffer, authority, 0, b"")], payer, limits, price)
    return LEGACY_SIZE - empty - 1  # the instruction's length then takes a second byte


@dataclass(frozen=True)
class Plan:
    """The transactions that bring a buffer from what it holds to the file.

    sizes  bytes of the file in each of them
    """

    orders: list[Order]
    sizes: list[int]


@dataclass(frozen=True)
class Terms:
    """On which terms a buffer is written.

    rent   lamports of the whole buffer
    v1     the cluster takes transactions of version 1
    price  of a compute unit, in millionths of a lamport
    """

    payer: Pubkey
    authority: Pubkey
    rent: int
    v1: bool
    price: int = 0


def plan(place: Place, elf: Elf, held: bytes | None, terms: Terms) -> Plan:
    """held: what the buffer holds by now; None: it is to be made, beside the first writes.

    The orders lack their signers: the payer's and the authority's keys are not known here.
    """
    limits = Limits(UNITS_PER_WRITE, elf.size + ROOM_BESIDE, terms.v1)
    if terms.v1:
        chunk, per = loader.WRITE_PAYLOAD, WRITES_PER_V1
    else:
        keys = (place.address, terms.authority, terms.payer)
        chunk, per = legacy_chunk(*keys, limits, terms.price), 1
    starts = differing(elf.data, bytes(elf.size) if held is None else held, chunk)
    made = Plan([], [])
    if held is None:
        beside = WRITES_WITH_CREATION if terms.v1 else 0
        _add(made, place, elf, terms, starts[:beside], chunk, creation(place, terms, elf.size))
        starts = starts[beside:]
    for group in _groups(starts, per):
        _add(made, place, elf, terms, group, chunk)
    return made


def _add(
    made: Plan,
    place: Place,
    elf: Elf,
    terms: Terms,
    starts: Sequence[int],
    chunk: int,
    before: tuple[Instruction, ...] = (),
) -> None:
    parts = [elf.data[start : start + chunk] for start in starts]
    writes = (
        loader.write(place.address, terms.authority, start, part)
        for start, part in zip(starts, parts, strict=True)
    )
    units = UNITS_PER_WRITE * len(parts) + (CREATION_UNITS if before else 0)
    what = "make the buffer" if before else f"write {len(parts)} chunks from byte {starts[0]:,}"
    limits = Limits(units, elf.size + ROOM_BESIDE, terms.v1)
    made.orders.append(Order(what, (*before, *writes), (), limits))
    made.sizes.append(sum(map(len, parts)))


def creation(place: Place, terms: Terms, elf_size: int) -> tuple[Instruction, ...]:
    """What makes the buffer; it belongs into one transaction, or someone else takes it."""
    size = loader.BUFFER_HEADER + elf_size
    instructions: tuple[Instruction, ...]
    if place.lamports == 0:
        create = CreateAccountWithSeedParams(
            from_pubkey=terms.payer,
            to_pubkey=place.address,
            base=terms.authority,
            seed=place.seed,
            lamports=terms.rent,
            space=size,
            owner=loader.LOADER,
        )
        instructions = (create_account_with_seed(create),)
    else:
        # CreateAccount refuses an address that has lamports, whoever sent them
        missing = TransferParams(
            from_pubkey=terms.payer,
            to_pubkey=place.address,
            lamports=max(0, terms.rent - place.lamports),
        )
        allocate = AllocateWithSeedParams(
            address=place.address,
            base=terms.authority,
            seed=place.seed,
            space=size,
            owner=loader.LOADER,
        )
        instructions = (transfer(missing), allocate_with_seed(allocate))
    return (*instructions, loader.initialize_buffer(place.address, terms.authority))


def _groups(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
