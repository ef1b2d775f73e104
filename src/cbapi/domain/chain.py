"""What reading the chain gives, whoever reads it."""

from __future__ import annotations

import msgspec


class ChainError(Exception):
    """The chain could not be asked. The text names a cause, never an address."""


class Account(msgspec.Struct, frozen=True):
    """An account as read at `slot`; `owner` in base58."""

    slot: int
    owner: str
    data: bytes
