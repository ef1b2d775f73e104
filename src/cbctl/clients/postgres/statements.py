"""Splits an SQL script into statements, as the server does: quotes, comments, bodies.

What a name, a space or the end of a comment is follows the server's own scanner (PostgreSQL,
src/backend/parser/scan.l, with standard_conforming_strings on): where the two differ, a statement
could be hidden from our checks. The server always gets the script as it is in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LETTER = r"A-Za-z_\u0080-\U0010ffff"  # any byte that is not ASCII is one
WORD: Final = rf"[{_LETTER}][{_LETTER}0-9$]*"
_GOES_ON = r"""(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+'"""
"""A string is continued by one in a later line, and keeps its kind: what E'' escapes."""
_GRAMMAR = rf"""
      (?P<space>[ \t\n\r\f\v]+)
    | (?P<line>--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<escape>[eE]'(?:[^'\\]++|\\.|''|'{_GOES_ON})*+(?:'|\Z))
    | (?P<string>'(?:[^']|'')*(?:'|\Z))
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<dollar>\$(?:[{_LETTER}][{_LETTER}0-9]*)?\$)
    | (?P<end>;)
    | (?P<word>{WORD})
    | (?P<number>0[xX][0-9A-Fa-f_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?)
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
    body = _Body()
    first = parens = at = 0
    tokens = re.compile(_GRAMMAR, re.VERBOSE | re.DOTALL)  # here: most runs need none

    def finish(end: int) -> None:
        words = "".join(pieces).strip(" ")
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
        if kind == "end" and parens == 0 and not body.inside:
            finish(at)
            pieces, body = [], _Body()
            continue
        if kind == "dollar":
            closing = script.find(text, at)
            at = len(script) if closing < 0 else closing + len(text)
            text = script[begin:at]
        elif text in "()":
            parens = max(0, parens + (1 if text == "(" else -1))
        if parens == 0:
            body.see(text.upper() if kind in ("word", "end") else "")
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


class _Body:
    """Whether a token, outside of brackets, is in a `BEGIN ATOMIC … END` body of a function.

    Words can be names: `set a = begin, atomic` begins none, and `select 1 as end` ends none. The
    two words that begin it follow each other, and END ends it only where a statement would begin.
    """

    def __init__(self) -> None:
        self.inside = False
        self._words: list[str] = []  # the first ones
        self._before = ""

    def see(self, word: str) -> None:
        """`word`: in upper case, or `;`; "" of other tokens."""
        if word and len(self._words) < 4:
            self._words.append(word)
        if self.inside:
            self.inside = word != "END" or self._before not in ("ATOMIC;", ";")
        elif word == "ATOMIC" and self._before == "BEGIN" and self._is_routine():
            self.inside, word = True, "ATOMIC;"  # a statement begins after it
        self._before = word

    def _is_routine(self) -> bool:
        match self._words:
            case ["CREATE", "FUNCTION" | "PROCEDURE", *_]:
                return True
            case ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE"]:
                return True
        return False
