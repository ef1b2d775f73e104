"""What the unit tests of the localnet share."""

from __future__ import annotations


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def slots(self, count: int) -> None:
        self.now += 0.2 * count
