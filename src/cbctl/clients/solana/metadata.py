"""What a program says of itself on chain: its IDL, by the Program Metadata program.

Source: github.com/solana-program/program-metadata (program 1.0.1: `state/header.rs`, `processor/`),
pinned by a test against what its own JavaScript client writes. An account belongs to program and
seed; only the upgrade authority writes the canonical one. Content is UTF-8, packed with zlib, as
that client does by default.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer

from cbctl.clients.solana.loader import programdata_address
from cbctl.errors import CbctlError, Exit

PROGRAM = Pubkey.from_string("ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S")
IDL_SEED = "idl"
HEADER = struct.Struct("<B32s32sBB16sBBBBI5x")  # 96 bytes; the content follows
CHUNK = 900  # bytes of content in one legacy transaction, with room for two signatures
LARGEST = 4 << 20  # bytes that a packed content may unpack to

_BUFFER, _METADATA = 1, 2
_UTF8, _ZLIB, _JSON, _DIRECT = 1, 2, 1, 0
_WRITE, _INITIALIZE, _CLOSE, _ALLOCATE = 0, 1, 6, 7


@dataclass(frozen=True)
class Metadata:
    """
    written    False while it is still a buffer that is being filled
    packed     the content as it lies there
    """

    written: bool
    mutable: bool
    encoding: int
    compression: int
    source: int
    packed: bytes

    def text(self) -> str:
        """The content. Errors: CbctlError for what this cannot read."""
        if self.source != _DIRECT or self.encoding not in (0, _UTF8):
            raise _unreadable("its content lies elsewhere, or is not text")
        try:
            if self.compression:
                # both headers are known: gzip (1) and zlib (2)
                inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
                raw = inflate.decompress(self.packed, LARGEST)
                if inflate.unconsumed_tail:
                    raise _unreadable("it is too large")
            else:
                raw = self.packed
            return raw.decode()
        except (zlib.error, UnicodeDecodeError):
            raise _unreadable("it is damaged") from None


def address(program: Pubkey, seed: str = IDL_SEED) -> Pubkey:
    """Of the canonical account: the one that the upgrade authority writes."""
    return Pubkey.find_program_address([bytes(program), _seed(seed)], PROGRAM)[0]


def parse(data: bytes) -> Metadata:
    if len(data) < HEADER.size or data[0] not in (_BUFFER, _METADATA):
        raise _unreadable("it is no metadata account")
    found = HEADER.unpack_from(data)
    if data[0] == _BUFFER:
        return Metadata(False, True, _UTF8, _ZLIB, _DIRECT, data[HEADER.size :])
    _, _, _, mutable, _, _, encoding, compression, _, source, length = found
    packed = data[HEADER.size : HEADER.size + length]
    return Metadata(True, bool(mutable), encoding, compression, source, packed)


def pack(text: str) -> bytes:
    return zlib.compress(text.encode(), 9)


# ---- instructions


def fund(payer: Pubkey, account: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer, to_pubkey=account, lamports=lamports))


def allocate(program: Pubkey, authority: Pubkey, seed: str = IDL_SEED) -> Instruction:
    """Makes the account a buffer of the header alone; it must have its lamports already."""
    data = bytes([_ALLOCATE]) + _seed(seed)
    return Instruction(PROGRAM, data, [*_owner(program, authority, seed), _meta(SYSTEM)])


def write(
    program: Pubkey, authority: Pubkey, offset: int, content: bytes, seed: str = IDL_SEED
) -> Instruction:
    data = struct.pack("<BI", _WRITE, offset) + content
    accounts = [_meta(address(program, seed), "w"), _meta(authority, "s"), _meta(PROGRAM)]
    return Instruction(PROGRAM, data, accounts)


def initialize(program: Pubkey, authority: Pubkey, seed: str = IDL_SEED) -> Instruction:
    """Makes of a filled buffer the metadata."""
    data = bytes([_INITIALIZE]) + _seed(seed) + bytes([_UTF8, _ZLIB, _JSON, _DIRECT])
    return Instruction(PROGRAM, data, [*_owner(program, authority, seed), _meta(PROGRAM)])


def close(
    program: Pubkey, authority: Pubkey, recipient: Pubkey, seed: str = IDL_SEED
) -> Instruction:
    accounts = [*_owner(program, authority, seed), _meta(recipient, "w")]
    return Instruction(PROGRAM, bytes([_CLOSE]), accounts)


def _owner(program: Pubkey, authority: Pubkey, seed: str) -> list[AccountMeta]:
    """The account, and what proves that the authority may upgrade the program."""
    return [
        _meta(address(program, seed), "w"),
        _meta(authority, "s"),
        _meta(program),
        _meta(programdata_address(program)),
    ]


def _seed(seed: str) -> bytes:
    return seed.encode().ljust(16, b"\0")


def _meta(key: Pubkey, flags: str = "") -> AccountMeta:
    return AccountMeta(key, "s" in flags, "w" in flags)


def _unreadable(why: str) -> CbctlError:
    return CbctlError(f"the metadata on chain cannot be read: {why}", exit=Exit.DIFFERS)
