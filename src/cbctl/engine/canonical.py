"""One way to write a value as bytes and to hash it, for plans, journals and releases."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cbctl.config.types import Reference
from cbctl.engine.step import Json


def plain(value: Any) -> Json:
    """Dataclasses, structs, tuples, paths and references (their text) as plain JSON values."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Reference() | Path():
            return str(value)
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            items = [plain(v) for v in value]
            return sorted(items, key=str) if isinstance(value, set | frozenset) else items
        case msgspec.Struct():
            return {f: plain(getattr(value, f)) for f in value.__struct_fields__}
        case _ if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a record")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no white space (one line)."""
    return msgspec.json.encode(plain(value), order="deterministic")


def recordable(value: Any) -> Json:
    """The value as plain JSON. Raises when it could not be written to a record."""
    made = plain(value)
    msgspec.json.encode(made)
    return made


def sha256(value: Any) -> str:
    """Hex digest of the canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()
