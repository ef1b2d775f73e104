"""A small Borsh codec driven by an IDL of Anchor's specification 0.1.0, and by its 0.29 form.

Written from the specifications, without the product's own codec: what it reads must agree with the
offsets that `crypto_bet.py` has by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

# number of bytes, signed
NUMBERS = {
    "u8": (1, False),
    "u16": (2, False),
    "u32": (4, False),
    "u64": (8, False),
    "u128": (16, False),
    "i64": (8, True),
}


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def take(self, length: int) -> bytes:
        piece = self.data[self.at : self.at + length]
        assert len(piece) == length, "the data ends too early"
        self.at += length
        return piece


@dataclass(frozen=True)
class Idl:
    """`types` by name, whatever the form calls a reference to one of them."""

    document: dict[str, Any]
    types: dict[str, dict[str, Any]]
    type_name: Callable[[Any], str]

    def read(self, name: str, data: bytes) -> dict[str, Any]:
        """Every byte behind the discriminator, as the named struct."""
        reader = Reader(data, at=8)
        value = self._read({"defined": name}, reader)
        assert reader.at == len(data), f"{len(data) - reader.at} bytes are left"
        assert isinstance(value, dict)
        return value

    def write(self, ty: object, value: object) -> bytes:
        match ty:
            case "pubkey" | "publicKey":
                return bytes(value)  # type: ignore[call-overload, no-any-return]
            case "string":
                assert isinstance(value, str)
                return len(value.encode()).to_bytes(4, "little") + value.encode()
            case str(name):
                size, signed = NUMBERS[name]
                assert isinstance(value, int)
                return value.to_bytes(size, "little", signed=signed)
            case {"defined": reference}:
                shape = self.types[self.type_name(reference)]
                if shape["kind"] == "enum":
                    names = [variant["name"] for variant in shape["variants"]]
                    return bytes([names.index(value)])
                assert isinstance(value, dict)
                return b"".join(
                    self.write(field["type"], value[field["name"]]) for field in shape["fields"]
                )
        raise AssertionError(f"unknown type {ty}")

    def _read(self, ty: object, reader: Reader) -> object:
        match ty:
            case "pubkey" | "publicKey":
                return Pubkey.from_bytes(reader.take(32))
            case "bool":
                return {b"\0": False, b"\1": True}[reader.take(1)]
            case str(name):
                size, signed = NUMBERS[name]
                return int.from_bytes(reader.take(size), "little", signed=signed)
            case {"array": ["u8", int(length)]}:
                return reader.take(length)
            case {"defined": reference}:
                shape = self.types[self.type_name(reference)]
                if shape["kind"] == "enum":
                    variant: str = shape["variants"][reader.take(1)[0]]["name"]
                    return variant
                return {
                    field["name"]: self._read(field["type"], reader) for field in shape["fields"]
                }
        raise AssertionError(f"unknown type {ty}")


def current(path: Path) -> Idl:
    """An IDL of specification 0.1.0."""
    document = json.loads(path.read_text())
    types = {entry["name"]: entry["type"] for entry in document["types"]}

    def name(reference: Any) -> str:
        result: str = reference if isinstance(reference, str) else reference["name"]
        return result

    return Idl(document, types, name)


def legacy(path: Path) -> Idl:
    """An IDL as Anchor 0.29 wrote it."""
    document = json.loads(path.read_text())
    types = {
        entry["name"]: entry["type"] for entry in [*document["types"], *document["accounts"]]
    } | {
        event["name"]: {"kind": "struct", "fields": event["fields"]} for event in document["events"]
    }
    return Idl(document, types, str)


def sighash(namespace: str, name: str) -> bytes:
    return hashlib.sha256(f"{namespace}:{name}".encode()).digest()[:8]
