"""One way to write a value as bytes and to hash it, for plans, journals and releases."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import msgspec

from cbctl.config.types import Reference
from cbctl.engine.step import Json


def _text(value: Any) -> Any:
    if isinstance(value, Reference):
        return str(value)  # the reference itself; what it stands for never travels
    raise NotImplementedError(f"{type(value).__name__} has no place in a record")


def plain(value: Any) -> Json:
    """Dataclasses, tuples and paths as plain JSON values."""
    built = msgspec.to_builtins(value, enc_hook=_text, order="deterministic")
    return cast(Json, built)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no white space (one line)."""
    return msgspec.json.encode(value, enc_hook=_text, order="deterministic")


def sha256(value: Any) -> str:
    """Hex digest of the canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()
