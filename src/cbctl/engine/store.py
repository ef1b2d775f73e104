"""Where runs, releases and the lock live: one protocol, several kinds of store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SCHEMA = "1.0"
"""Version of every record written by this cbctl. Another major cannot be read; another minor can
be read but not resumed."""


class Conflict(Exception):
    """The stream grew, or the lock changed, since it was last looked at."""


@dataclass(frozen=True)
class Owner:
    """Who holds the lock, by what the system says. `host` and `who` are only shown."""

    boot: str
    pid: int
    started: str
    host: str
    who: str


@dataclass(frozen=True)
class LockRecord:
    """State of the lock. Never removed: a released lock keeps its token, so that it only grows.

    renewals  counts up while the holder lives; others judge by it on their own clocks
    """

    token: int
    held: bool
    owner: Owner
    run: str
    reason: str
    since: str
    renewals: int
    schema: str = SCHEMA


class Fenced(Exception):
    """The token is not the lock's any more: somebody took or broke the lock."""

    def __init__(self, token: int, now: LockRecord | None) -> None:
        super().__init__(_lost(token, now))


def _lost(token: int, now: LockRecord | None) -> str:
    if now is None:
        return "the lock's record is gone"
    if now.token == token and not now.held:
        return "the lock was released"
    return (
        f"the lock was taken by {now.owner.who} on {now.owner.host} "
        f"(process {now.owner.pid}): {now.reason}"
    )


class Store(Protocol):
    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        """Adds a record to a stream of `expected` records, durably, while `token` holds the lock.

        token  None: beside whoever holds it, to a stream of which he writes nothing

        Raises Conflict or Fenced, and then has changed nothing (elsewhere it may have: when the
        answer was lost, and right after it the lock)."""

    def read(self, stream: str) -> list[bytes]:
        """All complete records; [] when there is no such stream."""

    def streams(self, prefix: str) -> list[str]:
        """Names of the streams that hold a record, in the order of their names."""

    def put_blob(self, data: bytes) -> str:
        """Keeps the bytes under their sha256 (hex), which is returned."""

    def get_blob(self, sha256: str) -> bytes: ...

    def read_lock(self) -> LockRecord | None: ...

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        """Compare-and-set of the lock. Raises Conflict."""

    def owner_state(self, owner: Owner) -> str:
        """ "dead" when that is certain, "alive" when it is running, else "unknown"."""
