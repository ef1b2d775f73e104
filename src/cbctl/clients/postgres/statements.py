"""Splits an SQL script into statements, as psql does: quotes, comments, dollar quotes, bodies.

Used for checks only; the server always gets the script as it is in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_GRAMMAR = r"""
      (?P<space>\s+)
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<string>'(?:[^']|'')*(?:'|\Z))
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<end>;)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>.)
    """
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Statement:
    """One statement without its `;`.

    words  its text with comments removed and white space folded (quotes kept as they are)
    line   1-based line of its first token
    start, end  offsets in the script, `end` after the `;`
    """

    words: str
    line: int
    start: int
    end: int


def split(script: str) -> list[Statement]:
    """The statements of `script`; empty ones are left out."""
    found: list[Statement] = []
    pieces: list[str] = []
    heads: list[str] = []  # the first words, in upper case
    first = depth = parens = at = 0
    tokens = re.compile(_GRAMMAR, re.VERBOSE | re.DOTALL)  # here: most runs need none

    def finish(end: int) -> None:
        words = "".join(pieces).strip()
        if words:
            found.append(Statement(words, script.count("\n", 0, first) + 1, first, end))

    while at < len(script):
        token = tokens.match(script, at)
        if token is None:  # cannot happen: `other` takes any character
            break
        kind, text, begin = token.lastgroup, token.group(), at
        at = token.end()
        if kind in ("space", "line", "block"):
            at = _after_comment(script, at) if kind == "block" else at
            if pieces and pieces[-1] != " ":
                pieces.append(" ")
            continue
        if not pieces:
            first = begin
        if kind == "end" and depth == 0 and parens == 0:
            finish(at)
            pieces, heads = [], []
            continue
        if kind == "dollar":
            closing = script.find(text, at)
            at = len(script) if closing < 0 else closing + len(text)
            text = script[begin:at]
        elif kind == "word":
            heads.append(text.upper())
            depth = max(0, depth + _body(heads))
        elif text in "()":
            parens = max(0, parens + (1 if text == "(" else -1))
        pieces.append(text)
    finish(len(script))
    return found


def _after_comment(script: str, at: int) -> int:
    """The offset after a block comment that was opened before `at`; they nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(script, at)):
        depth += 1 if edge.group() == "/*" else -1
        at = edge.end()
    return at if depth == 0 else len(script)


def _body(heads: list[str]) -> int:
    """+1 / -1 where a word opens or closes a `BEGIN ATOMIC … END` body of a function."""
    kind = [word for word in heads[:4] if word not in ("OR", "REPLACE")]
    if kind[0] != "CREATE" or len(kind) < 2 or kind[1] not in ("FUNCTION", "PROCEDURE"):
        return 0
    if heads[-1] == "ATOMIC" and heads[-2] == "BEGIN":
        return 1
    inside = "ATOMIC" in heads
    if inside and heads[-1] == "CASE":
        return 1
    return -1 if inside and heads[-1] == "END" else 0
