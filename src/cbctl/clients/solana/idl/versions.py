"""The numbers of versions inside a program's accounts: the field `version` of their types.

Only that byte of each account is asked for, and the accounts are found by their discriminators.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.model import Idl, Primitive, Struct
from cbctl.clients.solana.rpc import CONFIRMED, Rpc

_FIELD = "version"
_WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}  # what a version may be
_FIXED = {"bool": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "u128": 16, "i128": 16, "pubkey": 32}


@dataclass(frozen=True)
class Versioned:
    """An account type with a version at a fixed place: bytes from the account's begin."""

    name: str
    discriminator: bytes
    offset: int
    width: int


def versioned(idl: Idl) -> Iterator[Versioned]:
    """Types whose version comes after fields of unknown size, or is no number, are left out."""
    for record in idl.accounts.values():
        body = idl.types[record.name].body if record.name in idl.types else None
        if not (isinstance(body, Struct) and body.fields.named):
            continue
        at: int | None = len(record.discriminator)
        for field in body.fields.items:
            name = field.type.name if isinstance(field.type, Primitive) else ""
            if at is None:
                break
            if field.name == _FIELD:
                if name in _WIDTHS:
                    yield Versioned(record.name, record.discriminator, at, _WIDTHS[name])
                break
            size = (_FIXED | _WIDTHS).get(name)
            at = None if size is None else at + size


def seen(rpc: Rpc, program: Pubkey, idl: Idl) -> dict[str, Counter[int]]:
    """By type: how many accounts on chain have which version."""
    return {kind.name: _count(rpc, program, kind) for kind in versioned(idl)}


def _count(rpc: Rpc, program: Pubkey, kind: Versioned) -> Counter[int]:
    method = "getProgramAccounts"
    mark = base64.b64encode(kind.discriminator).decode()
    options = {
        "encoding": "base64",
        "dataSlice": {"offset": kind.offset, "length": kind.width},
        "filters": [{"memcmp": {"offset": 0, "bytes": mark, "encoding": "base64"}}],
        **CONFIRMED,
    }
    answer = rpc.call(method, [str(program), options])
    try:
        found = [base64.b64decode(one["account"]["data"][0], validate=True) for one in answer]
    except (KeyError, IndexError, TypeError, ValueError):
        raise rpc.unusable(method) from None
    return Counter(int.from_bytes(raw, "little") for raw in found if len(raw) == kind.width)
