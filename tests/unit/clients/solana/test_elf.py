from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from cbctl.clients.solana import dry_deploy, elf
from cbctl.errors import Exit

ARTIFACT = Path(__file__).parents[4] / "programs/crypto_bet/artifacts/crypto_bet.so"


@pytest.fixture(scope="module")
def data() -> bytes:
    return ARTIFACT.read_bytes()


def test_shipped_program(data: bytes) -> None:
    found = elf.parse(data)
    assert found.sbpf == 3
    assert found.size == len(data)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert dry_deploy.problem(found) is None


def test_hash_is_blind_to_trailing_zeros_only(data: bytes) -> None:
    assert elf.parse(data + bytes(500)).hash == elf.parse(data).hash
    assert elf.parse(data + bytes(500)).sha256 != elf.parse(data).sha256
    assert elf.parse(data + b"\0\1").hash != elf.parse(data).hash
    assert elf.executable_hash(b"") == elf.executable_hash(bytes(9)) == hashlib.sha256().hexdigest()


def changed(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda data: b"", "not an ELF"),
        (lambda data: b"#!/bin/sh\n" * 20, "not an ELF"),
        (lambda data: data[:40], "within its header"),
        (lambda data: data[:-1], "cut off: it speaks of 24,976 bytes and has 24,975"),
        (lambda data: data[:100], "cut off"),
        (lambda data: changed(data, 4, b"\1"), "64-bit"),
        (lambda data: changed(data, 5, b"\2"), "little-endian"),
        (lambda data: changed(data, 18, b"\x3e\0"), "another machine"),
        (lambda data: data + bytes(elf.LARGEST), "more than the 10,485,715"),
        (lambda data: changed(data, 32, struct.pack("<Q", 1 << 62)), "cut off"),
    ],
)
def test_what_is_no_program(data: bytes, make: object, why: str) -> None:
    assert callable(make)
    if why.startswith("cut off: it speaks"):
        why = f"cut off: it speaks of {len(data):,} bytes and has {len(data) - 1:,}"
    with pytest.raises(elf.BadElf, match=why) as caught:
        elf.parse(make(data))
    assert caught.value.exit == Exit.REFUSED


def test_code_that_the_loader_refuses(data: bytes) -> None:
    start = struct.unpack_from("<Q", data, 64 + 8)[0]
    garbled = bytearray(data)
    for offset in range(start, start + 4_000, 8):
        garbled[offset] = 0xFF
    why = dry_deploy.problem(elf.parse(bytes(garbled)))
    assert why is not None
    assert why != ""


def test_older_instruction_set(data: bytes) -> None:
    assert elf.parse(changed(data, 48, struct.pack("<I", 2))).sbpf == 2


def test_dry_deploy_that_dies_is_a_problem(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_deploy, "__name__", "this.is.no.module")
    why = dry_deploy.problem(elf.parse(data))
    assert why is not None and "crashed" in why
