"""What can be told about a program's ELF without running it.

Sources: ELF-64 specification (header and program header fields), Agave's sbpf crate (`e_flags`
holds the SBPF version; machines EM_BPF 247 and EM_SBPF 263), solana-verify (its executable hash).
Whether the code itself is valid only a loader can tell: see `dry_deploy`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from cbctl.errors import CbctlError, Exit

LARGEST = 10 * 1024 * 1024 - 45  # bytes: the largest account less the header of ProgramData
MACHINES = (247, 263)
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")


@dataclass(frozen=True)
class Elf:
    """A program file.

    sha256  of the whole file, hex
    hash    of the file without its trailing zeros, hex: what solana-verify prints
    sbpf    version of the instruction set: 0 to 3, more in time
    """

    data: bytes
    sha256: str
    hash: str
    sbpf: int

    @property
    def size(self) -> int:
        return len(self.data)


class BadElf(CbctlError):
    def __init__(self, why: str) -> None:
        super().__init__(f"not a program that could be deployed: {why}", exit=Exit.REFUSED)
        self.why = why


def executable_hash(data: bytes) -> str:
    """sha256 of the bytes without trailing zeros, which is blind to the room left on chain."""
    return hashlib.sha256(data.rstrip(b"\0")).hexdigest()


def parse(data: bytes) -> Elf:
    """Errors: BadElf for anything but a complete 64-bit little-endian SBPF file."""
    if not data.startswith(b"\x7fELF"):
        raise BadElf("it is not an ELF file")
    if len(data) < HEADER.size:
        raise BadElf("it is cut off within its header")
    if len(data) > LARGEST:
        raise BadElf(f"it has {len(data):,} bytes, more than the {LARGEST:,} that an account holds")
    (ident, _, machine, _, _, phoff, shoff, flags, _, phsize, phnum, shsize, shnum, _) = (
        HEADER.unpack_from(data)
    )
    if ident[4:6] != b"\x02\x01":
        raise BadElf("it is not a 64-bit little-endian ELF")
    if machine not in MACHINES:
        raise BadElf(f"it is made for another machine (e_machine {machine})")
    ends = [phoff + phnum * phsize, shoff + shnum * shsize]
    if phsize >= SEGMENT.size and ends[0] <= len(data):
        for index in range(phnum):
            _, _, offset, _, _, in_file, _, _ = SEGMENT.unpack_from(data, phoff + index * phsize)
            ends.append(offset + in_file)
    if max(ends) > len(data):
        raise BadElf(f"it is cut off: it speaks of {max(ends):,} bytes and has {len(data):,}")
    return Elf(data, hashlib.sha256(data).hexdigest(), executable_hash(data), flags)
