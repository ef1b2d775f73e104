"""Runs `cbctl` by forking a process that has it imported: for tests of very many commands.

What only a process of its own shows (the launcher, imports made late, the interpreter's ending) is
for real processes to show: such tests run a sample of their commands as these too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).parents[2]
LIMIT = 60.0
"""s; far more than any command without real work takes, also on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """hung: it had to be killed. out, err: each byte as one character."""

    exit: int
    out: str
    err: str
    hung: bool
    seconds: float


class Forked:
    """One at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: str = "",
        interrupt: float | None = None,
        limit: float = LIMIT,
    ) -> Ended:
        """
        stdout     a file instead, for example /dev/full
        interrupt  s after which Ctrl-C is pressed
        """
        request = {
            "argv": list(argv),
            "cwd": str(cwd),
            "env": dict(env),
            "encoding": env.get("PYTHONIOENCODING", "utf-8"),
            "stdout": stdout,
            "interrupt": interrupt,
            "limit": limit,
        }
        stdin: IO[str] | None = self._process.stdin
        answers: IO[str] | None = self._process.stdout
        assert stdin and answers
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = answers.readline()
        assert line, f"the fork server ended: {self._process.poll()}"
        return Ended(**json.loads(line))

    def close(self) -> None:
        self._process.communicate(timeout=LIMIT)
