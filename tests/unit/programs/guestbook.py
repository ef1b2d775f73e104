"""What a client of `guestbook` knows, written by hand: the IDL is compared with it."""

from __future__ import annotations

import struct
from pathlib import Path

from solders.pubkey import Pubkey

FOLDER = Path(__file__).parents[2] / "fixtures" / "guest_house" / "onchain"
ELF = FOLDER / "guestbook.so"
IDL = FOLDER / "guestbook.json"


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


def terms(
    *,
    shelf: int = 7,
    title: bytes = text("Visitors"),
    moderated: int = 1,
    visibility: bytes = b"\1\x12",
    lines: bytes = b"\x0c\x18\x24",
    curators: tuple[Pubkey, ...] = (),
    closes_at: bytes = b"\0",
    motto: bytes = b"\0",
    stamp: bytes = struct.pack("<I", 0),
    warmth: int = -12,
) -> bytes:
    """The arguments of `open_book`."""
    keys = struct.pack("<I", len(curators)) + b"".join(map(bytes, curators))
    rules = bytes([moderated]) + visibility + lines
    start = struct.pack("<H", shelf) + title + rules + keys
    return start + closes_at + motto + stamp + struct.pack("<h", warmth)


def book_address(program: Pubkey, owner: Pubkey, shelf: int = 7) -> tuple[Pubkey, int]:
    seeds = [b"book", struct.pack("<H", shelf), bytes(owner)]
    return Pubkey.find_program_address(seeds, program)


def index_address(program: Pubkey, book: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([b"index", bytes(book)], program)[0]
