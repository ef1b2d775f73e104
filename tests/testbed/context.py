"""The context of a step alone: the real clock, a lock that is always held."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cbctl.config.types import Reference, Secret
from cbctl.errors import CbctlError, Exit


@dataclass
class FakeContext:
    """
    secrets  values of references by their names; an optional one that is not there is empty, as
             the engine's context has it
    said     what the step told while it worked
    fenced   how often it asked whether it may go on
    """

    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    fenced: int = 0
    run: str = "test-run"
    step: str = "step"
    token: int = 3

    def reveal(self, reference: Reference) -> Secret:
        if reference.name not in self.secrets and not reference.optional:
            raise CbctlError("there is no such value", exit=Exit.USAGE, where=reference.where)
        return Secret(self.secrets.get(reference.name, ""))

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self.said.append(message if done is None else f"{message} {done}/{total}")

    def fence(self) -> None:
        self.fenced += 1

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
