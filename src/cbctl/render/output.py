"""A stream that may die at any time without anybody noticing: the run matters, not its picture."""

from __future__ import annotations

import os
from typing import TextIO

_PLAIN = str.maketrans(
    {"→": "->", "…": "...", "·": "-", "✓": "*", "✗": "x", "━": "#", "─": "-", "“": '"', "”": '"'}
)


class Output:
    """Writes and flushes; after the first failure it says nothing more.

    unicode  False: the stream's encoding cannot carry it, plain characters are written instead
    dead     the other end is gone
    error    what it ended with; why: the same in the system's words
    """

    def __init__(self, stream: TextIO | None) -> None:
        # None: the process was started with this stream closed
        self._stream = stream
        self.dead = stream is None
        self.error: OSError | ValueError | None = None
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._encoding = encoding
        try:
            "→…✓✗━⠋".encode(encoding)
            self.unicode = True
        except (UnicodeError, LookupError):
            self.unicode = False

    def write(self, text: str) -> None:
        if self.dead or self._stream is None:
            return
        if not self.unicode:
            text = text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
        try:
            try:
                self._stream.write(text)
                self._stream.flush()
            except BlockingIOError:
                # another program made the shared terminal non-blocking: what is left is buffered
                os.set_blocking(self._stream.fileno(), True)
                self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            self.dead, self.error = True, error
            abandon(self._stream)

    @property
    def why(self) -> str:
        return getattr(self.error, "strerror", None) or str(self.error or "")

    def line(self, text: str = "") -> None:
        self.write(text + "\n")


def abandon(stream: TextIO) -> None:
    """Leads to nowhere what is still buffered: it would fail again when the interpreter ends (exit
    code 120)."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
