"""A platform whose commands can be made to die, or to meet a fault, at one point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from tests.e2e.support import Platform

_PROGRAM = Path(__file__).with_name("rigged_cbctl.py")


@dataclass
class Rigged(Platform):
    """point: what happens to its commands, as rigged_cbctl.py has it; "" nothing"""

    point: str = ""

    @property
    def launcher(self) -> list[str]:
        return [sys.executable, str(_PROGRAM), self.point] if self.point else super().launcher

    @contextmanager
    def at(self, point: str) -> Iterator[None]:
        """It happens to the commands inside."""
        self.point = point
        try:
            yield
        finally:
            self.point = ""

    def dies(self, point: str, *command: str) -> None:
        with self.at(point):
            done = self.run(*command)
        assert done.exit == -SIGKILL, f"it never came to {point}: {done}"
        self.remember_secrets()
