"""One file of SQL that is to run: in a transaction, or one statement outside of any."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cbctl.clients.postgres.statements import Statement, split
from cbctl.errors import CbctlError, Exit

# Texts, not compiled: `re` keeps them once they are used, and most runs use none.
_TRANSACTION_WORDS: Final = (
    r"(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION)\b"
)
_NO_TRANSACTION: Final = (
    r"(CREATE (UNIQUE )?INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY|REINDEX .*\bCONCURRENTLY|VACUUM|"
    r"CREATE DATABASE|DROP DATABASE|ALTER SYSTEM|CREATE TABLESPACE|DROP TABLESPACE)\b"
)
_NAMELESS_INDEX: Final = r"CREATE (UNIQUE )?INDEX CONCURRENTLY ON\b"


@dataclass(frozen=True)
class Script:
    path: Path
    text: str = field(repr=False)
    transactional: bool

    def runnable(self) -> str:
        """The script to send, after the checks that need its statements.

        A `BEGIN; … COMMIT;` around the whole file is blanked out (cbctl opens the transaction);
        offsets and lines stay the same. Raises CbctlError (64) with file and line.
        """
        statements = split(self.text)
        if not self.transactional:
            return self._single(statements)
        script = self.text
        if len(statements) > 1 and _opens(statements[0]) and _commits(statements[-1]):
            for wrapper in (statements.pop(0), statements.pop()):
                blank = re.sub(r"[^\n]", " ", script[wrapper.start : wrapper.end])
                script = script[: wrapper.start] + blank + script[wrapper.end :]
        for statement in statements:
            if _starts(_TRANSACTION_WORDS, statement) and not _savepoint(statement):
                raise self._wrong(
                    statement.line,
                    "controls the transaction itself",
                    "leave BEGIN and COMMIT out: each migration runs in one transaction",
                )
            if _starts(_NO_TRANSACTION, statement):
                raise self._wrong(
                    statement.line,
                    "has a statement that Postgres does not run in a transaction",
                    "put it alone into a file with the first line `-- cbctl: transaction=none`",
                )
        return script

    def _single(self, statements: list[Statement]) -> str:
        if len(statements) != 1:
            raise self._wrong(
                statements[1].line if statements else 1,
                f"has transaction=none and {len(statements)} statements",
                "exactly one statement per file can be repeated safely after a crash: split it",
            )
        if _starts(_NAMELESS_INDEX, statements[0]):
            raise self._wrong(
                statements[0].line,
                "creates an index without a name",
                "name the index: only then an invalid one that a crash left is found again",
            )
        return self.text

    def _wrong(self, line: int, what: str, fix: str) -> CbctlError:
        return wrong(self.path, line, what, fix)


def needs_no_transaction(statement: Statement) -> bool:
    """Whether Postgres refuses to run it in one."""
    return _starts(_NO_TRANSACTION, statement)


def _opens(statement: Statement) -> bool:
    return re.fullmatch(r"(BEGIN|START)( (WORK|TRANSACTION))?", statement.words, re.I) is not None


def _commits(statement: Statement) -> bool:
    return re.fullmatch(r"(COMMIT|END)( (WORK|TRANSACTION))?", statement.words, re.I) is not None


def _savepoint(statement: Statement) -> bool:
    """ROLLBACK TO SAVEPOINT stays inside the transaction."""
    return _starts(r"ROLLBACK( (WORK|TRANSACTION))? TO\b", statement)


def _starts(pattern: str, statement: Statement) -> bool:
    return re.match(pattern, statement.words, re.IGNORECASE | re.DOTALL) is not None


def wrong(path: Path, line: int, what: str, fix: str) -> CbctlError:
    place = f"{path}:{line}" if line else str(path)
    return CbctlError(f"the migration {path.name} {what}", where=place, fix=fix, exit=Exit.USAGE)
