"""A Context for one step alone: the real clock, a lock that is always held."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cbctl.config.types import Reference, Secret


@dataclass
class FakeContext:
    """said: what the step told while it worked. secrets: values of references by their text."""

    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    run: str = "test-run"
    step: str = "program"
    token: int = 1

    def reveal(self, reference: Reference) -> Secret:
        return Secret(self.secrets[reference.text])

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self.said.append(message if done is None else f"{message} {done}/{total}")

    def fence(self) -> None:
        """The lock is held as long as the test runs."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
