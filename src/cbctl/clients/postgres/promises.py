"""Statements that take away from a migration what the runner promises of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cbctl.clients.postgres.ledger import OUR_TABLES
from cbctl.clients.postgres.statements import Statement

_RULES: Final = (
    (
        "lock-timeout",
        r"(SET( SESSION| LOCAL)? \"?LOCK_TIMEOUT\b|RESET (LOCK_TIMEOUT|ALL)\b|"
        r".*\bSET_CONFIG ?\( ?'LOCK_TIMEOUT')",
        "changes how long its statements may wait for a lock, with everybody queued behind them",
        "leave it out: cbctl sets the limit, and tries again",
    ),
    (
        "own-tables",
        rf"((DROP TABLE|TRUNCATE)\b.*|(ALTER TABLE( IF EXISTS)?|DELETE FROM|UPDATE|INSERT INTO)"
        rf"( ONLY)? (\w+ ?\. ?)?\"?)\b({'|'.join(sorted(OUR_TABLES))})\b",
        "changes the tables in which cbctl keeps what was applied",
        "leave them to cbctl",
    ),
)
_OTHER_ROLE: Final = r"SET( SESSION| LOCAL)? (ROLE|SESSION AUTHORIZATION)\b(?! (NONE|DEFAULT)$)"
_BACK: Final = (
    r"RESET (ROLE|SESSION AUTHORIZATION|ALL)$|"
    r"SET( SESSION| LOCAL)? (ROLE NONE|SESSION AUTHORIZATION DEFAULT)$"
)

Broken = tuple[int, str, str, str]
"""Line, rule, what it does, what to do"""


def broken(statements: Sequence[Statement]) -> Iterator[Broken]:
    other: Statement | None = None
    for statement in statements:
        for rule, pattern, what, fix in _RULES:
            if _begins(pattern, statement):
                yield statement.line, rule, what, fix
        if _begins(_OTHER_ROLE, statement):
            other = statement
        elif _begins(_BACK, statement):
            other = None
    if other:
        yield (
            other.line,
            "other-role",
            "ends as another role than it began, with which cbctl then has to record it",
            "put RESET ROLE at the end",
        )


def _begins(pattern: str, statement: Statement) -> bool:
    return re.match(pattern, statement.words, re.IGNORECASE | re.DOTALL) is not None
