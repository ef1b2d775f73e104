"""All buffers of an authority, also those that no run of ours has begun."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from solders.pubkey import Pubkey

from cbctl.clients.solana import loader
from cbctl.clients.solana.rpc import CONFIRMED, Rpc
from cbctl.clients.solana.types import whole

_AUTHORITY_AT = 5  # tag, option byte
_TAG = base64.b64encode((1).to_bytes(4, "little") + b"\1").decode()


@dataclass(frozen=True)
class Found:
    """size: of the ELF that it is for."""

    address: Pubkey
    lamports: int
    size: int


def owned(rpc: Rpc, authority: Pubkey) -> list[Found]:
    """Asked for without their content, which may be megabytes each; the largest first."""
    method = "getProgramAccounts"
    options = {
        "encoding": "base64",
        "dataSlice": {"offset": 0, "length": 0},
        "filters": [
            {"memcmp": {"offset": 0, "bytes": _TAG, "encoding": "base64"}},
            {"memcmp": {"offset": _AUTHORITY_AT, "bytes": str(authority)}},
        ],
        **CONFIRMED,
    }
    answer = rpc.call(method, [str(loader.LOADER), options])
    if not isinstance(answer, list):
        raise rpc.unusable(method)
    try:
        found = [
            Found(
                Pubkey.from_string(entry["pubkey"]),
                whole(entry["account"]["lamports"]),
                whole(entry["account"]["space"]) - loader.BUFFER_HEADER,
            )
            for entry in answer
        ]
    except (KeyError, TypeError, ValueError):
        raise rpc.unusable(method) from None
    return sorted(found, key=lambda one: (-one.size, str(one.address)))
