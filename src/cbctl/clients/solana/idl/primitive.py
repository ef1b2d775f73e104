"""Borsh of numbers, truth values, text, bytes and addresses."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.model import IdlError, shown

_NUMBER = re.compile(r"-?[0-9]{1,78}")  # the longest is of 256 bits


class Elsewhere(str):
    """A value that is kept elsewhere, where everything is text: a number in it is one."""


def take(data: bytes, at: int, size: int, path: str) -> bytes:
    if at + size > len(data):
        raise IdlError(
            path, f"the data ends at byte {len(data)}, {at + size - len(data)} too early"
        )
    return data[at : at + size]


def encode_primitive(name: str, value: Any, path: str) -> bytes:
    if name == "bool":
        if not isinstance(value, bool):
            raise IdlError(path, f"expected true or false, not {shown(value)}")
        return bytes([value])
    if name in ("f32", "f64"):
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise IdlError(path, f"expected a number, not {shown(value)}")
        return struct.pack("<f" if name == "f32" else "<d", value)
    if name == "pubkey":
        try:
            return bytes(value if isinstance(value, Pubkey) else Pubkey.from_string(value))
        except (ValueError, TypeError):
            raise IdlError(path, f"{shown(value)} is not an address (base58)") from None
    if name in ("string", "bytes"):
        raw = _text(value, path) if name == "string" else _raw(value, path)
        return struct.pack("<I", len(raw)) + raw
    return _integer(name, value, path)


def _integer(name: str, value: Any, path: str) -> bytes:
    if isinstance(value, Elsewhere) and _NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise IdlError(path, f"expected a whole number, not {shown(value)}")
    signed, bits = name[0] == "i", int(name[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise IdlError(path, f"{value} does not fit {name} ({low} to {high})")
    return value.to_bytes(bits // 8, "little", signed=signed)


def _text(value: Any, path: str) -> bytes:
    if not isinstance(value, str):
        raise IdlError(path, f"expected text, not {shown(value)}")
    return value.encode()


def _raw(value: Any, path: str) -> bytes:
    try:
        if isinstance(value, int):  # of a number, bytes() makes as many zeros
            raise TypeError
        return bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    except (ValueError, TypeError):
        raise IdlError(path, f"expected bytes as hex text, not {shown(value)}") from None


def decode_primitive(name: str, data: bytes, at: int, path: str) -> tuple[Any, int]:
    if name == "bool":
        tag = take(data, at, 1, path)[0]
        if tag > 1:
            raise IdlError(path, f"{tag} is neither true nor false")
        return tag == 1, at + 1
    if name in ("f32", "f64"):
        size = 4 if name == "f32" else 8
        raw = take(data, at, size, path)
        return struct.unpack("<f" if size == 4 else "<d", raw)[0], at + size
    if name == "pubkey":
        return str(Pubkey.from_bytes(take(data, at, 32, path))), at + 32
    if name in ("string", "bytes"):
        size = int.from_bytes(take(data, at, 4, path), "little")
        raw = take(data, at + 4, size, path)
        if name == "bytes":
            return raw.hex(), at + 4 + size
        try:
            return raw.decode(), at + 4 + size
        except UnicodeDecodeError:
            raise IdlError(path, "is not valid UTF-8") from None
    size = int(name[1:]) // 8
    raw = take(data, at, size, path)
    return int.from_bytes(raw, "little", signed=name[0] == "i"), at + size
