"""Runs migrations statement by statement and notes what each of them does to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.confined import BEYOND, IF_NOT_EXISTS, NOT_ITS_RIGHT, THERE_ALREADY
from cbctl.clients.postgres.connect import connect, explain
from cbctl.clients.postgres.migrations import Migration
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.statements import Statement, split
from cbctl.clients.postgres.waiting import execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    import psycopg

    from cbctl.clients.postgres.connect import Connection

_BLOCKS: Final = {
    "AccessShareLock": "",
    "RowShareLock": "",
    "RowExclusiveLock": "",
    "ShareUpdateExclusiveLock": "",
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}
"""What a lock on a table keeps out, from the weakest lock to the strongest."""
_RANK: Final = {mode: rank for rank, mode in enumerate(_BLOCKS)}


@dataclass
class Lock:
    """The strongest that a statement takes on a relation that was there before its migration.

    blocks   "writes", "reads and writes", or "" for neither
    held_ms  from the beginning of the statement to the end of the transaction
    """

    relation: str
    mode: str
    blocks: str
    held_ms: float = 0.0


@dataclass(frozen=True)
class Traced:
    """A statement. rewrites: tables and indexes that are written anew from beginning to end;
    locks: None where they could not be seen"""

    sql: str
    line: int
    ms: float
    locks: tuple[Lock, ...] | None
    rewrites: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A migration, carried out."""

    title: str
    phase: str
    transactional: bool
    statements: tuple[Traced, ...]


def trace(place: Address, migrations: Sequence[Migration]) -> Iterator[Trace]:
    """In a scratch database; each is told when its transaction has ended.

    Raises CbctlError (1) with the file and line of a statement that fails.
    """
    with connect(place) as session, connect(place) as watcher:
        for migration in migrations:
            tracer = _Tracer(place, session, watcher, migration.up())
            run = tracer.together if migration.entry.transactional else tracer.alone
            entry = migration.entry
            session.execute(b"discard all")  # as the runner: nothing of the one before stays
            yield Trace(entry.title, entry.phase, entry.transactional, run())


class _Tracer:
    """One migration. watcher: sees what everybody sees, not what the migration makes"""

    def __init__(
        self, place: Address, session: Connection, watcher: Connection, script: Script
    ) -> None:
        self.place, self.session, self.watcher, self.script = place, session, watcher, script
        self.text = script.runnable()
        self.pid = session.info.backend_pid

    def together(self) -> tuple[Traced, ...]:
        found: list[Traced] = []
        begun: list[tuple[Lock, float]] = []
        held: dict[str, str] = {}
        with self.session.transaction():
            for statement in split(self.text):
                files, started = self._files(), monotonic()
                self._execute(statement)
                ms = _since(started)
                now = self._locks()
                locks = [
                    Lock(relation, mode, _BLOCKS[mode])
                    for relation, mode in sorted(now.items())
                    if _RANK[mode] > _RANK.get(held.get(relation, ""), -1)
                ]
                begun += [(lock, started) for lock in locks]
                held = now
                found.append(self._traced(statement, ms, tuple(locks), files))
        for lock, started in begun:
            lock.held_ms = _since(started)
        return tuple(found)

    def alone(self) -> tuple[Traced, ...]:
        """A statement without a transaction is made to wait, else its locks are gone too soon."""
        import psycopg

        (statement,) = split(self.text)
        seen: dict[str, str] = {}
        files, started = self._files(), monotonic()
        with connect(self.place) as holder:
            holder.execute(b"begin")
            holder.execute(query("hold_writes"))

            def look() -> None:
                for relation, mode in self._locks().items():
                    if _RANK[mode] > _RANK.get(seen.get(relation, ""), -1):
                        seen[relation] = mode
                if seen:
                    holder.execute(b"rollback")

            try:
                execute_watched(self.session, self.text, look, single=True)
            except psycopg.Error as error:
                raise self._failed(error, statement) from None
        ms = _since(started)
        locks = tuple(Lock(name, mode, _BLOCKS[mode], ms) for name, mode in sorted(seen.items()))
        return (self._traced(statement, ms, locks or None, files),)

    def _traced(
        self,
        statement: Statement,
        ms: float,
        locks: tuple[Lock, ...] | None,
        before: dict[str, int],
    ) -> Traced:
        now = self._files()
        rewrites = sorted(name for name, file in before.items() if now.get(name, file) != file)
        return Traced(statement.words, statement.line, ms, locks, tuple(rewrites))

    def _execute(self, statement: Statement) -> None:
        import psycopg

        try:
            text = self.text[statement.start : statement.end]
            execute_watched(self.session, text, lambda: None, single=True)
        except psycopg.Error as error:
            raise self._failed(error, statement) from None

    def _failed(self, error: psycopg.Error, statement: Statement) -> CbctlError:
        said = explain(error, self.place)
        fix = "correct the file; the environment's own database was not changed"
        if THERE_ALREADY.search(said):
            fix = IF_NOT_EXISTS
        return CbctlError(
            f"fails in the scratch database: {said}",
            where=f"{self.script.path}:{statement.line}",
            exit=Exit.FAILED,
            fix=BEYOND if error.sqlstate == NOT_ITS_RIGHT else fix,
        )

    def _locks(self) -> dict[str, str]:
        """By relation, the strongest."""
        found: dict[str, str] = {}
        for relation, mode in self.watcher.execute(query("locks_of"), {"pid": self.pid}):
            if _RANK[mode] > _RANK.get(found.get(relation, ""), -1):
                found[relation] = mode
        return found

    def _files(self) -> dict[str, int]:
        return {str(name): int(file) for name, file in self.session.execute(query("file_nodes"))}


def _since(started: float) -> float:
    return round((monotonic() - started) * 1000, 1)
