"""The program's GlobalConfig account: Borsh, little endian, after Anchor's 8-byte discriminator.

Fixed size, so the whole account is one table of (name, format). A test walks the program's IDL on
its own way and compares every name and offset with this table.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import sha256

SEED = b"global_config"
VERSIONS = (1, 2)
"""Version 1 had no dispute bond: its bytes were zero, which reads as none."""
DISCRIMINATOR = sha256(b"account:GlobalConfig").digest()[:8]

PAUSE_SCOPES = ("None", "NewBets", "AllButClaims")

_KEY = "32s"
_U128 = "16s"  # struct has no 128-bit integers
_MONEY = (
    ("min_bet", "Q"),
    ("max_bet", "Q"),
    ("volume", _U128),
    ("fees_accrued", "Q"),
    ("fees_withdrawn", "Q"),
)

FIELDS: tuple[tuple[str, str], ...] = (
    ("version", "B"),
    ("bump", "B"),
    ("authority", _KEY),
    ("pending_authority", _KEY),
    ("resolver", _KEY),
    ("guardian", _KEY),
    ("treasury", _KEY),
    ("usdc_mint", _KEY),
    ("fee_bps", "H"),
    ("pause_scope", "B"),
    ("dispute_window", "q"),
    ("resolution_window", "q"),
    ("sweep_delay", "q"),
    ("min_market_duration", "q"),
    ("max_market_duration", "q"),
    *((f"sol.{name}", kind) for name, kind in _MONEY),
    *((f"usdc.{name}", kind) for name, kind in _MONEY),
    ("total_markets", "Q"),
    ("event_sequence", "Q"),
    ("dispute_bond", "Q"),
    ("reserve", "120s"),
)

_STRUCT = struct.Struct("<8s" + "".join(kind for _, kind in FIELDS))
SIZE = _STRUCT.size


class NotThisLayout(Exception):
    """The account is not a GlobalConfig that this code can read; the text says why."""


def offsets() -> dict[str, tuple[int, int]]:
    """name → (offset in the account, size), the discriminator counted."""
    found: dict[str, tuple[int, int]] = {}
    at = len(DISCRIMINATOR)
    for name, kind in FIELDS:
        size = struct.calcsize("<" + kind)
        found[name] = (at, size)
        at += size
    return found


def unpack(data: bytes) -> Mapping[str, int | bytes]:
    """name → integer, or 32 bytes for a key. Raises NotThisLayout.

    An account may be longer than the layout; another `version` means other fields.
    """
    if len(data) < SIZE:
        raise NotThisLayout(f"{len(data)} bytes, at least {SIZE} are needed")
    values = _STRUCT.unpack_from(data)
    if values[0] != DISCRIMINATOR:
        raise NotThisLayout("another discriminator than GlobalConfig's")
    found: dict[str, int | bytes] = {}
    for (name, kind), value in zip(FIELDS, values[1:], strict=True):
        found[name] = int.from_bytes(value, "little") if kind == _U128 else value
    if found["version"] not in VERSIONS:
        readable = " and ".join(map(str, VERSIONS))
        raise NotThisLayout(f"layout version {found['version']!r}, this code reads {readable}")
    if found["pause_scope"] not in range(len(PAUSE_SCOPES)):
        raise NotThisLayout("a pause scope that this version does not know")
    return found
