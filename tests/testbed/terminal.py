"""A real pseudo-terminal with a process on it that leads a session of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 120.0
"""s; the limit of everything that is waited for. The machine may be busy."""


class Session:
    """seen: all that was read so far, in the order of its coming"""

    def __init__(
        self,
        command: Sequence[str | Path],
        environ: Mapping[str, str],
        *,
        folder: Path | None = None,
        columns: int = 80,
    ) -> None:
        self.main, other = pty.openpty()
        self.seen = ""
        self.resize(columns)
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "GITHUB_ACTIONS": "", **environ},
        )
        os.close(other)

    def resize(self, columns: int, rows: int = 24) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, upto: str = "") -> str:
        """What is written until the end, or until `upto` was."""
        found, until = b"", time.monotonic() + PATIENCE
        while True:
            ready, _, _ = select.select([self.main], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{upto or 'the end'} did not come: {found.decode(errors='replace')}"
            try:
                more = os.read(self.main, 65536)
            except OSError:
                more = b""  # EIO: nobody has the terminal open any more
            found += more
            if not more or (upto and upto.encode() in found):
                break
        text = found.decode(errors="replace")
        self.seen += text
        assert upto in text, f"{upto!r} did not come: {text}"
        return text

    def drain(self) -> None:
        """Reads what is there: a terminal that nobody reads stops who writes to it."""
        while select.select([self.main], [], [], 0)[0]:
            self.seen += os.read(self.main, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def hang_up(self) -> None:
        os.close(self.main)
        self.main = -1

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        if self.main >= 0:
            self.hang_up()
        return code
