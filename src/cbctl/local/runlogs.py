"""What runs told while they went on, in the folder `logs/runs/`; every file has mode 0600.

    ID.log      the run in plain lines; a resumed run writes on below
    ID.ndjson   the events of its newest part, for `cbctl runs attach`

What counts is in the journal. These may get lost, so they are not synced, and those of the oldest
runs are removed.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TextIO

from cbctl.local.files import PRIVATE_FOLDER
from cbctl.local.logs import open_log
from cbctl.local.state import State, checked_name

KEPT = 50
"""Runs whose files are kept."""


class RunLogs:
    def __init__(self, state: State) -> None:
        self.folder = state.path / "logs" / "runs"

    def lines(self, run: str) -> Path:
        return self.folder / f"{checked_name(run)}.log"

    def events(self, run: str) -> Path:
        return self.folder / f"{checked_name(run)}.ndjson"

    def begin(self, run: str) -> tuple[TextIO, TextIO]:
        """Files for the events and the lines of a run, or of a part that resumes it.

        The events get a new file: a process that was stopped and lost the lock to this part still
        has the old one open, and what it says when it wakes up is not about this part."""
        self.folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        self._prune(run)
        events, lines = self.events(run), self.lines(run)
        events.unlink(missing_ok=True)
        with ExitStack() as opened:
            found = tuple(opened.enter_context(_appending(path)) for path in (events, lines))
            if lines.stat().st_size:
                found[1].write("\n")  # also ends a line that was torn
            opened.pop_all()
        return found[0], found[1]

    def _prune(self, run: str) -> None:
        others = sorted({path.stem for path in self.folder.iterdir()} - {run})
        for old in others[: -(KEPT - 1)]:
            self.lines(old).unlink(missing_ok=True)
            self.events(old).unlink(missing_ok=True)


class Growing:
    """The lines of a file that somebody writes; where another one takes its place, the lines of
    that one from its beginning.

    found  whether there was such a file so far
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""

    @property
    def found(self) -> bool:
        return self._file is not None

    def read(self) -> list[bytes]:
        """Those that were completed since the last call."""
        self._open()
        if self._file is None:
            return []
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        try:
            there = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return  # not yet, or removed: what is open can still be read
        if self._file is not None and os.path.samestat(there, os.fstat(self._file.fileno())):
            return
        self.close()
        self._file, self._rest = self._path.open("rb"), b""


def _appending(path: Path) -> TextIO:
    return open(open_log(path), "a", encoding="utf-8")  # noqa: PTH123 (a descriptor)
