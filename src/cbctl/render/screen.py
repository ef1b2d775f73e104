"""Redraws a few lines at the lower end of a terminal; whatever stands above stays scrollback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TextIO

from cbctl.render.output import Output

Size = Callable[[], tuple[int, int]]
"""Columns and rows, asked again for every picture."""


def size_of(stream: TextIO | None) -> Size:
    def ask() -> tuple[int, int]:
        try:
            size = os.get_terminal_size(stream.fileno() if stream else -1)
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    return ask


class Screen:
    """No alternate screen and no hidden cursor: killed at any point, the terminal stays usable.

    It only ever goes up by as many lines as it drew. A terminal that grew narrower may have
    wrapped them to more; then an old copy is left above, but nothing of the user's is erased.
    """

    def __init__(self, out: Output, size: Size) -> None:
        self._out, self._size = out, size
        self._drawn = 0

    @property
    def size(self) -> tuple[int, int]:
        return self._size()

    def draw(self, lines: list[str], above: Iterable[str] = ()) -> None:
        """Puts `lines` in the place of the last picture, in one write so that nothing flickers.

        Lines `above` it are written once and stay.
        """
        body = "".join(f"{line}\x1b[K\n" for line in (*above, *lines))
        self._out.write(f"{self._back()}{body}\x1b[J")
        self._drawn = len(lines)

    def settle(self, lines: list[str], above: Iterable[str] = ()) -> None:
        """Draws for the last time: these lines belong to the scrollback from now on."""
        self.draw(lines, above)
        self._drawn = 0

    def _back(self) -> str:
        # More than fits was scrolled away and cannot be reached again.
        up = min(self._drawn, self.size[1] - 1)
        return f"\r\x1b[{up}A" if up else "\r"
