"""What a statement that runs outside a transaction leaves behind when it is interrupted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.statements import WORD, split

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_NAME = rf'(?:"(?:[^"]|"")+"|{WORD})'
_QUALIFIED = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
_CREATE = re.compile(
    rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?P<index>{_NAME}) "
    rf"ON (?:ONLY )?(?P<table>{_QUALIFIED})",
    re.IGNORECASE,
)
_DROP = re.compile(
    rf"DROP INDEX CONCURRENTLY (?:IF EXISTS )?(?P<index>{_QUALIFIED})( CASCADE| RESTRICT)?",
    re.IGNORECASE,
)
_REINDEX = re.compile(r"REINDEX\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Standalone:
    """The one statement of a migration with transaction=none, as far as we know its kind.

    index, table  of CREATE INDEX CONCURRENTLY
    dropped       the index of DROP INDEX CONCURRENTLY
    concurrent    nobody queues behind it, so it may wait longer for its lock
    """

    index: str = ""
    table: str = ""
    dropped: str = ""
    reindex: bool = False

    @property
    def concurrent(self) -> bool:
        return bool(self.index or self.dropped or self.reindex)


def recognize(script: str) -> Standalone:
    words = split(script)[0].words
    if found := _CREATE.match(words):
        return Standalone(index=_plain(found["index"]), table=_joined(found["table"]))
    if found := _DROP.fullmatch(words):
        return Standalone(dropped=_joined(found["index"]))
    return Standalone(reindex=_REINDEX.match(words) is not None)


def mend(connection: Connection, statement: Standalone) -> list[str]:
    """Drops the invalid indexes that an earlier try of this statement left; returns their names.

    `IF NOT EXISTS` would take an invalid index for a good one. Only what the statement itself
    makes is dropped: another invalid index may be one that a person is building right now.
    """
    names: list[str] = []
    if statement.index:
        valid, name = index_state(connection, statement)
        names = [name] if name and not valid else []
    elif statement.reindex:
        names = [row[0] for row in connection.execute(query("reindex_leftovers")).fetchall()]
    for name in names:
        connection.execute(query("drop_index").replace(b"{index}", name.encode()))
    return names


def index_state(connection: Connection, statement: Standalone) -> tuple[bool, str]:
    """Is the created index valid, and its qualified name ("" when there is none)."""
    row = connection.execute(
        query("index_state"), {"table": statement.table, "index": statement.index}
    ).fetchone()
    return (bool(row[0]), str(row[1])) if row else (False, "")


def is_done(connection: Connection, statement: Standalone) -> bool:
    """Whether an earlier try, which was not recorded, had come to its end."""
    if statement.index:
        return index_state(connection, statement)[0]
    if statement.dropped:
        row = connection.execute(query("relation_exists"), {"name": statement.dropped}).fetchone()
        return not (row and row[0])
    return False


def _plain(name: str) -> str:
    """The name as the catalogue has it."""
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return name.lower()


def _joined(name: str) -> str:
    return re.sub(rf"({_NAME})\s*\.\s*({_NAME})", r"\1.\2", name)
