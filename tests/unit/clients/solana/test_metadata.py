"""The Program Metadata program's layouts, beside what its own JavaScript client writes."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from cbctl.clients.solana import metadata
from cbctl.errors import CbctlError

CLIENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "fixtures/program_metadata/client.json").read_text()
)
PROGRAM, AUTHORITY = (Pubkey.from_string(CLIENT[n]) for n in ("program", "authority"))


def test_the_address() -> None:
    assert str(metadata.address(PROGRAM)) == CLIENT["metadata"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("allocate", metadata.allocate(PROGRAM, AUTHORITY)),
        ("write", metadata.write(PROGRAM, AUTHORITY, 900, b"\1\2\3")),
        ("initialize", metadata.initialize(PROGRAM, AUTHORITY)),
        ("close", metadata.close(PROGRAM, AUTHORITY, AUTHORITY)),
    ],
)
def test_each_instruction(name: str, made: Instruction) -> None:
    theirs = CLIENT["instructions"][name]
    assert str(made.program_id) == theirs["program"]
    assert made.data.hex() == theirs["data"]
    # a role: 1 it is written to, 2 it signs
    roles = [[str(a.pubkey), a.is_writable + 2 * a.is_signer] for a in made.accounts]
    assert roles == theirs["accounts"]


def test_what_lies_there() -> None:
    found = metadata.parse(bytes.fromhex(CLIENT["account"]))
    assert found.written and found.mutable
    assert found.text() == CLIENT["content"]
    packed = metadata.pack(CLIENT["content"])
    assert zlib.decompress(packed) == zlib.decompress(bytes.fromhex(CLIENT["packed"]))


def test_what_cannot_be_read() -> None:
    account = bytes.fromhex(CLIENT["account"])
    for damaged in (b"", account[:50], b"\0" + account[1:], account[:-9] + b"\xff" * 9):
        with pytest.raises(CbctlError, match="cannot be read"):
            metadata.parse(damaged).text()
