"""What a cluster answers, in the words of the RPC documentation. Amounts are lamports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from solders.pubkey import Pubkey


@dataclass(frozen=True)
class Account:
    lamports: int
    owner: Pubkey
    data: bytes
    executable: bool


@dataclass(frozen=True)
class Blockhash:
    """A recent blockhash and the last block height at which it may be used."""

    hash: str
    last_valid_height: int


@dataclass(frozen=True)
class Position:
    """Where a cluster is. A slot may stay without a block, so height counts slower."""

    slot: int
    height: int


@dataclass(frozen=True)
class Status:
    """What became of a transaction. `err` is the RPC's own form, None when it succeeded."""

    slot: int
    err: Any
    confirmed: bool


@dataclass(frozen=True)
class Simulation:
    err: Any
    logs: tuple[str, ...]
    units: int


def whole(value: Any) -> int:
    """A number of an answer that fits an unsigned 64-bit integer, as all of them do on the chain.
    Errors: ValueError"""
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError(f"a {type(value).__name__} is no unsigned 64-bit integer")
    return value


def lines(value: Any) -> tuple[str, ...]:
    """The text in a program's log; a node may answer anything, or no log."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


class Pace(Protocol):
    """How long work on a chain is timed, told and stopped. The engine's Context is one."""

    def fence(self) -> None:
        """Called right before something is sent; raises when nothing more may be sent."""

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """Says what is going on."""

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Waits; raises when the work is told to stop."""


Sleep = Callable[[float], None]
Clock = Callable[[], float]
