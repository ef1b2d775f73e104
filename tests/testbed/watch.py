"""Eyes on what lasts only for moments: command lines and environments of processes, and temporary
files."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_PROC = Path("/proc")
_EVERY = 0.05


class Watch:
    """Looks again and again, until it is left.

    found      tells whether there is something in these bytes that must not be seen
    allowed    tells by its environment whether a process may have it there
    temporary  a folder in which no file may ever hold it
    """

    def __init__(
        self,
        found: Callable[[bytes], object],
        allowed: Callable[[bytes], bool],
        temporary: Path,
    ) -> None:
        self._found, self._allowed, self._temporary = found, allowed, temporary
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.seen: set[str] = set()
        self.looks = self.processes = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            self.looks += 1
            for entry in os.scandir(_PROC):
                if entry.name.isdigit():
                    with contextlib.suppress(OSError):  # it is gone
                        self._process(_PROC / entry.name)
            for folder, _, names in os.walk(self._temporary):
                for name in names:
                    with contextlib.suppress(OSError):
                        self._file(Path(folder) / name)

    def _process(self, process: Path) -> None:
        line = (process / "cmdline").read_bytes()
        self.processes += 1
        if self._found(line):
            self.seen.add(f"command line of {process.name}: {line[:200]!r}")
        environment = (process / "environ").read_bytes()
        if not self._found(environment) or self._allowed(environment):
            return
        # what a process that just ends or becomes another one shows may lack its other half
        if (process / "environ").read_bytes() == environment:
            self.seen.add(f"environment of {process.name}: {line[:200]!r}")

    def _file(self, path: Path) -> None:
        if self._found(path.read_bytes()):
            self.seen.add(f"temporary file {path}, mode {path.stat().st_mode & 0o777:o}")
