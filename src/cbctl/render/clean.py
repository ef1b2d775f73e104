"""Text from outside made harmless: no byte of a log line or an error may steer a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping

LINES_SHOWN = 40
LINE_LENGTH = 500

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# Controls, marks that turn the writing direction, separators that break lines, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: object) -> str:
    """`text` on one line: colours are dropped, every other control character becomes visible."""
    # `##[` anywhere in a line is a command to the runner of GitHub Actions
    return _UNSAFE.sub(_visible, _COLOUR.sub("", str(text))).replace("##[", "## [")


def rows(text: object) -> list[str]:
    """The lines of `text`, each clean, without the empty ones at the end."""
    found = [clean(line.rstrip()) for line in str(text).splitlines()]
    while found and not found[-1]:
        found.pop()
    return found


def evidence_lines(evidence: object, limit: int = LINES_SHOWN) -> list[str]:
    """What explains a failure, line by line; the newest lines are kept where there are too many."""
    found = [cut(line) for line in _lines(evidence)]
    if len(found) <= limit:
        return found
    # Lists of log lines grow at their end, and the last ones are those that tell.
    head = limit // 4
    tail = limit - head
    left = len(found) - limit
    return [*found[:head], f"… {left} lines left out …", *found[-tail:]]


def cut(line: str, limit: int = LINE_LENGTH) -> str:
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _lines(value: object) -> list[str]:
    match value:
        case None:
            return ["-"]
        case bool():
            return ["true" if value else "false"]
        case Mapping():
            found: list[str] = []
            for key, inner in value.items():
                found += _under(clean(key), _lines(inner))
            return found
        case list() | tuple():
            return [line for inner in value for line in _lines(inner)]
        case _:
            return rows(value) or [""]


def _under(key: str, lines: list[str]) -> list[str]:
    match lines:
        case []:
            return []
        case [only]:
            return [f"{key}: {only}"]
        case _:
            return [f"{key}:", *("  " + line for line in lines)]


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in "\t\n\r":
        return " "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
