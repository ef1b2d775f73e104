"""The upgradeable BPF loader, version 3: account states, addresses, instructions.

Source of every layout: the crate solana-loader-v3-interface 8.1.1. Integers are little-endian,
tags u32, an option is one byte (0 or 1). Of instructions with optional trailing flags the short
form is sent, which older and newer loaders take alike.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.sysvar import CLOCK, RENT

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
BUFFER_HEADER = 37  # tag, option byte, authority; the ELF follows
PROGRAM_SIZE = 36  # tag, address of ProgramData
PROGRAMDATA_HEADER = 45  # tag, slot u64, option byte, authority; the ELF follows in any case
LARGEST_ACCOUNT = 10 * 1024 * 1024
LEAST_EXTENSION = 10_240  # bytes, unless the account then has exactly its largest size (SIMD-0431)
WRITE_PAYLOAD = 1_216  # bytes in one Write, where a transaction has the room (1,217 fail)


@dataclass(frozen=True)
class Buffer:
    authority: Pubkey | None
    elf: bytes


@dataclass(frozen=True)
class Program:
    programdata: Pubkey


@dataclass(frozen=True)
class ProgramData:
    """slot: of the last deploy, upgrade or extension. authority None: immutable."""

    slot: int
    authority: Pubkey | None
    elf: bytes


@dataclass(frozen=True)
class Uninitialized:
    pass


State = Buffer | Program | ProgramData | Uninitialized


def parse(data: bytes) -> State | None:
    """The state in an account that the loader owns; None when it is of no known form."""
    if len(data) < 4:
        return None
    tag = struct.unpack_from("<I", data)[0]
    if tag == 0:
        return Uninitialized()
    if tag == 1 and len(data) >= BUFFER_HEADER:
        return Buffer(_option(data, 4), data[BUFFER_HEADER:])
    if tag == 2 and len(data) >= PROGRAM_SIZE:
        return Program(Pubkey.from_bytes(data[4:36]))
    if tag == 3 and len(data) >= PROGRAMDATA_HEADER:
        slot = struct.unpack_from("<Q", data, 4)[0]
        return ProgramData(slot, _option(data, 12), data[PROGRAMDATA_HEADER:])
    return None


def _option(data: bytes, at: int) -> Pubkey | None:
    return Pubkey.from_bytes(data[at + 1 : at + 33]) if data[at] else None


# ---- addresses


def programdata_address(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def buffer_seed(program: Pubkey, elf_sha256: str, nonce: int) -> str:
    """Seed of the buffer's address, 32 characters, the most that the runtime takes.

    It follows from what is deployed where, so that any machine that holds the authority finds
    the buffer again and there is no buffer key to lose. The program is part of it because two
    deployments of one file at the same time must not share a buffer.
    """
    digest = hashlib.sha256(b"buffer" + bytes(program) + bytes.fromhex(elf_sha256)).hexdigest()
    return f"{digest[:28]}{nonce:04x}"


def buffer_address(authority: Pubkey, seed: str) -> Pubkey:
    return Pubkey.create_with_seed(authority, seed, LOADER)


# ---- instructions


def _meta(key: Pubkey, flags: str = "") -> AccountMeta:
    return AccountMeta(key, "s" in flags, "w" in flags)


def initialize_buffer(buffer: Pubkey, authority: Pubkey) -> Instruction:
    """Belongs into the transaction that creates the account, or someone else takes it."""
    return Instruction(LOADER, struct.pack("<I", 0), [_meta(buffer, "w"), _meta(authority)])


def write(buffer: Pubkey, authority: Pubkey, offset: int, chunk: bytes) -> Instruction:
    """offset: within the ELF, not the account."""
    data = struct.pack("<IIQ", 1, offset, len(chunk)) + chunk
    return Instruction(LOADER, data, [_meta(buffer, "w"), _meta(authority, "s")])


def deploy(
    payer: Pubkey, program: Pubkey, buffer: Pubkey, authority: Pubkey, max_len: int
) -> Instruction:
    """Belongs into the transaction that creates the program account, which the program signs.
    The buffer's lamports go to the payer before ProgramData is paid."""
    accounts = [
        _meta(payer, "ws"),
        _meta(programdata_address(program), "w"),
        _meta(program, "w"),
        _meta(buffer, "w"),
        _meta(RENT),
        _meta(CLOCK),
        _meta(SYSTEM),
        _meta(authority, "s"),
    ]
    return Instruction(LOADER, struct.pack("<IQ", 2, max_len), accounts)


def upgrade(program: Pubkey, buffer: Pubkey, spill: Pubkey, authority: Pubkey) -> Instruction:
    """spill: gets the buffer's lamports. Fails in the slot of the last deploy or extension."""
    accounts = [
        _meta(programdata_address(program), "w"),
        _meta(program, "w"),
        _meta(buffer, "w"),
        _meta(spill, "w"),
        _meta(RENT),
        _meta(CLOCK),
        _meta(authority, "s"),
    ]
    return Instruction(LOADER, struct.pack("<I", 3), accounts)


def set_authority(account: Pubkey, current: Pubkey, new: Pubkey | None) -> Instruction:
    """new None makes a program immutable, for ever; a buffer always keeps an authority."""
    accounts = [_meta(account, "w"), _meta(current, "s")]
    if new is not None:
        accounts.append(_meta(new))
    return Instruction(LOADER, struct.pack("<I", 4), accounts)


def set_authority_checked(account: Pubkey, current: Pubkey, new: Pubkey) -> Instruction:
    """The same, signed by the new authority too, so that it surely exists."""
    accounts = [_meta(account, "w"), _meta(current, "s"), _meta(new, "s")]
    return Instruction(LOADER, struct.pack("<I", 7), accounts)


def close_buffer(buffer: Pubkey, recipient: Pubkey, authority: Pubkey) -> Instruction:
    accounts = [_meta(buffer, "w"), _meta(recipient, "w"), _meta(authority, "s")]
    return Instruction(LOADER, struct.pack("<I", 5), accounts)


def close_program(program: Pubkey, recipient: Pubkey, authority: Pubkey) -> Instruction:
    """For ever: the address can never be used again. Fails in the slot of the last deploy."""
    accounts = [
        _meta(programdata_address(program), "w"),
        _meta(recipient, "w"),
        _meta(authority, "s"),
        _meta(program, "w"),
    ]
    return Instruction(LOADER, struct.pack("<I", 5), accounts)


def extend(program: Pubkey, additional: int, payer: Pubkey) -> Instruction:
    """additional: bytes, at least LEAST_EXTENSION. Anyone may pay for it."""
    accounts = [
        _meta(programdata_address(program), "w"),
        _meta(program, "w"),
        _meta(SYSTEM),
        _meta(payer, "ws"),
    ]
    return Instruction(LOADER, struct.pack("<II", 6, additional), accounts)


def extension(capacity: int, needed: int) -> int:
    """Bytes to extend by, so that an ELF of `needed` bytes fits where `capacity` fit; 0: fits."""
    if needed <= capacity:
        return 0
    room = LARGEST_ACCOUNT - PROGRAMDATA_HEADER - capacity
    return min(max(LEAST_EXTENSION, needed - capacity), room)
