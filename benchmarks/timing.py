"""Times whole processes side by side: A B C A B C …, so that a drifting machine hits all alike.

Figures are process start to exit in milliseconds: median of the counted rounds, and the spread.
Nothing is asserted; a benchmark is not a test.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = sys.executable
CBCTL = str(Path(sys.executable).with_name("cbctl"))


@dataclass
class Subject:
    """A command under measurement. `ok` are the exit codes that count as success."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    ok: tuple[int, ...] = (0,)
    times: list[float] = field(default_factory=list)

    def once(self, cwd: Path | None = None) -> float:
        """Milliseconds. Raises when the command fails."""
        began = time.perf_counter()
        done = subprocess.run(
            list(self.argv),
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=cwd,
            check=False,
        )
        spent = (time.perf_counter() - began) * 1000
        if done.returncode not in self.ok:
            raise RuntimeError(
                f"{self.name}: exit {done.returncode}: {done.stderr.decode()[-500:]}"
            )
        return spent

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    def row(self, base: float | None = None) -> str:
        ratio = f" {self.median / base:5.2f}x" if base else ""
        return (
            f"{self.name:<34} {self.median:8.0f} {min(self.times):8.0f} {max(self.times):8.0f}"
            f"{ratio}"
        )


HEADER = f"{'':<34} {'median':>8} {'min':>8} {'max':>8}   (ms)"


def alternate(subjects: Sequence[Subject], rounds: int, warm: int = 2) -> None:
    """Fills `times` of each subject."""
    for number in range(warm + rounds):
        for subject in subjects:
            spent = subject.once()
            if number >= warm:
                subject.times.append(spent)


def pss(pids: Sequence[int]) -> float:
    """Proportional set size of processes in MB: what they really take of the memory."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
