"""An error as text on stderr: what, where, what to do, and what explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from cbctl.render.clean import clean, cut, evidence_lines, rows
from cbctl.render.output import Output

if TYPE_CHECKING:
    from cbctl.errors import CbctlError

_LONGEST = 4200
"""Characters of a line that is shown: those of the longest path, and of the words about it."""

QUOTE = "  | "
"""Before each line from outside: it cannot be taken for ours, nor for a command to a CI system."""


def text(error: CbctlError) -> str:
    """The whole text, each line ended; nothing in it can steer a terminal."""
    lines = _field("error", error.what)
    if error.where:
        lines += _field("where", error.where)
    if error.fix:
        lines += _field("fix", error.fix)
    lines += [QUOTE + line for line in evidence_lines(error.evidence)]
    return "".join(line + "\n" for line in lines)


def show(error: CbctlError, stderr: TextIO | None) -> None:
    """Writes it; a stream that is gone is no second failure."""
    Output(stderr).write(text(error))


def usage(said: str) -> str:
    """What the parser of the command line says, which repeats words of that line."""
    ours, error, about = said.partition("\nError: ")
    lines = [clean(line) for line in ours.split("\n")]
    return "".join(line + "\n" for line in (*lines, *(_field("Error", about) if error else ())))


def _field(name: str, content: str) -> list[str]:
    first, *rest = [cut(row, _LONGEST) for row in rows(content) or [clean(content)]]
    return [f"{name}: {first}", *(QUOTE + line for line in rest)]
