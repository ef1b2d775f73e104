"""Runs migrations: each exactly once, whoever else runs them and wherever a run is killed.

Three guards, from the weakest to the strongest: an advisory lock keeps a second runner waiting; a
row of cbctl_fence, locked in each migration's own transaction, refuses a run whose lock of the
whole deployment went to somebody else; the row of schema_migrations is written in that same
transaction, so it is there exactly when the migration is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.compare import compare
from cbctl.clients.postgres.connect import MIGRATING, connect, explain, failed
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import (
    Survey,
    obstacle,
    obstacle_to_baseline,
    shares_sessions,
    survey,
    write_marker,
)
from cbctl.clients.postgres.lock import MigrationLock
from cbctl.clients.postgres.migrations import Entry, Migration
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.session import AGAIN, NotHeld, Row, WorkSession
from cbctl.clients.postgres.standalone import index_state, is_done, mend, recognize
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    import psycopg

Mark = tuple[object, object]
"""Version and checksum of the piece without a transaction that was begun and is not recorded"""
NOTHING: Final[Mark] = (None, None)


@dataclass(frozen=True)
class Piece:
    """A script, up or down, and the row of schema_migrations that it goes with.

    is_done  whether that row, if there is one, says that it was run
    record   writes so at the end of the transaction; given when the script was begun
    check    tries whether it did what it should, before that is written
    """

    entry: Entry
    script: Script
    checksum: str
    is_done: Callable[[Row], bool]
    record: Callable[[float], None]
    check: Callable[[], None] = lambda: None

    @property
    def title(self) -> str:
        """As a person knows it; of a way back, the name of its file."""
        name = self.script.path.name
        return self.entry.title if name.endswith(".up.sql") else name


def migrate(job: Job) -> tuple[Entry, ...]:
    """Runs what is due and returns it, in the order in which it ran.

    Raises CbctlError: 7 refused, 6 another runner or a newer token, 3 permission, else 1 when
    nothing was changed and 5 when migrations before the failed one stay.
    """
    with runner(job) as (run, found):
        due = compare(
            [migration.entry for migration in job.migrations],
            found.applied,
            job.phase,
            new=found.empty or found.building,
            works_with=job.works_with,
            out_of_order=job.out_of_order,
        )
        if due.problem:
            raise refused(job, due.problem, due.fix)
        wanted = {entry.version for entry in due.due}
        todo = [_up(run, m) for m in job.migrations if m.entry.version in wanted]
        return run.carry_out(found, todo)


def _up(run: Runner, migration: Migration) -> Piece:
    entry, check = migration.entry, migration.check()
    return Piece(
        entry,
        migration.up(),
        entry.checksum,
        is_done=lambda row: run.is_applied(entry, row),
        record=lambda started: run.record(entry, started),
        check=lambda: run.work.check(check) if check else None,
    )


def record_baseline(job: Job) -> None:
    """Writes that the job's migrations are applied, without running them, in a database that has
    none. Raises like `migrate`."""
    with runner(job, lambda found, job: obstacle_to_baseline(found, job.marker)) as (run, found):
        if found.applied:
            raise refused(job, "another run has recorded migrations meanwhile", "plan again")
        run.take_over([migration.entry for migration in job.migrations])


def _obstacle(found: Survey, job: Job) -> tuple[str, str] | None:
    return obstacle(found, job.marker, job.create_marker)


@contextmanager
def runner(
    job: Job, hindered: Callable[[Survey, Job], tuple[str, str] | None] = _obstacle
) -> Iterator[tuple[Runner, Survey]]:
    """One that holds the lock of the migrations, and the database as it is then.

    hindered  why nothing may be changed there, and what to do

    Raises CbctlError (7) where nothing may run, (6) when another one does not end."""
    import psycopg

    with (
        connect(job.address) as lock_session,
        connect(job.address, application=MIGRATING) as work,
    ):
        try:
            if shares_sessions(lock_session, work):
                raise refused(job, "a connection pooler in transaction mode is in between", "")
        except psycopg.Error as error:
            raise failed(error, job.address, "cannot start") from None
        lock = MigrationLock(lock_session, job.address, job.patience)
        lock.acquire()
        found = survey(work, job.address)
        if reason := hindered(found, job):
            raise refused(job, *reason)
        yield Runner(job, lock, WorkSession(work, lock_session, found.schema, job.patience)), found


def refused(job: Job, what: str, fix: str) -> CbctlError:
    return CbctlError(what, where=str(job.address), fix=fix, exit=Exit.REFUSED)


class Runner:
    """Runs pieces, each exactly once."""

    def __init__(self, job: Job, lock: MigrationLock, work: WorkSession) -> None:
        self.job = job
        self.lock = lock
        self.work = work
        self.ran: list[Entry] = []
        self._environment = str(job.marker)
        self._claim = work.text("claim_fence", environment=self._environment, token=job.token)
        name, values = lock.shown()
        self._lock_held = work.text(name, **values)

    def carry_out(self, found: Survey, pieces: Sequence[Piece]) -> tuple[Entry, ...]:
        job = self.job
        todo = [(piece, piece.script.runnable()) for piece in pieces]
        titles = [piece.entry.title for piece in pieces]
        if more := [t for t in titles if job.agreed is not None and t not in job.agreed]:
            raise refused(job, f"{', '.join(more)} was not in the plan", "plan again")
        self._guarded("cannot create cbctl's tables", lambda: self._prepare(found, bool(todo)))
        for number, (piece, script) in enumerate(todo, 1):
            job.patience.progress(f"{piece.title} ({piece.entry.phase})", number, len(todo))
            self._one(piece, script, last=number == len(todo))
        return tuple(self.ran)

    def _prepare(self, found: Survey, anything: bool) -> None:
        """Tables, marker, and whether the first build goes on, in one transaction."""
        create = found.table == "none" or found.marker is None
        building = anything and (found.empty or found.building)
        if not create and building == found.building:
            return
        self.job.fence()
        with self._transaction():
            if create:
                self.work.execute("create_tables")
                write_marker(self.work.connection, self.work.schema, self.job.marker)
            self._claim_now()
            if building != found.building:
                self.work.execute("begin_building" if building else "end_building")

    def take_over(self, entries: Sequence[Entry]) -> None:
        self.job.fence()
        self.lock.assert_held()
        started = self.job.patience.monotonic()

        def write() -> None:
            with self._transaction():
                self.work.execute("create_tables")
                write_marker(self.work.connection, self.work.schema, self.job.marker)
                self._claim_now()
                for entry in entries:
                    self.record(entry, started)

        self._guarded("cannot record the migrations", write)

    def _one(self, piece: Piece, script: str, *, last: bool) -> None:
        import psycopg

        tries = self.job.patience.tries
        attempt = 0
        while True:
            attempt += 1
            self.job.fence()
            try:
                run = self._in_transaction if piece.script.transactional else self._alone
                if run(piece, script, last):
                    self.ran.append(piece.entry)
                return
            except NotHeld as error:
                stays = self.ran or not piece.script.transactional
                error.exit = Exit.NOT_UNDONE if stays else Exit.FAILED
                raise
            except psycopg.Error as error:
                if error.sqlstate not in AGAIN or attempt >= tries or self.work.inside.kept:
                    raise self._failure(error, piece, script, attempt) from None
            self.lock.assert_held()  # it may be the next holder who was in the way
            # Whoever queued behind us goes first; the whole transaction is repeated, so that no
            # lock of it is kept meanwhile.
            pause = self.job.patience.pause(attempt, self.work.pid)
            who = f": {self.work.blocked_by[0]}" if self.work.blocked_by else ""
            self.job.patience.progress(
                f"{piece.title} did not get its table locks{who}; try {attempt + 1} of {tries}"
            )
            self.job.patience.sleep(pause)

    def _transaction(self, *first: str) -> AbstractContextManager[list[Row]]:
        return self.work.transaction(self.job.patience.lock_timeout_ms, *first)

    @contextmanager
    def _begun(self, piece: Piece) -> Iterator[Mark | None]:
        """The transaction that a piece begins with, and what was unfinished; None: somebody else
        has done it meanwhile."""
        recorded = self.work.text("is_applied", version=piece.entry.version)
        with self._transaction(self._lock_held, self._claim, recorded) as (held, claimed, row):
            self.lock.assert_shown(held)
            unfinished = self._claimed(claimed)
            yield None if piece.is_done(row) else unfinished

    def _in_transaction(self, piece: Piece, script: str, last: bool) -> bool:
        """Whether it was run; False when somebody else had done it meanwhile."""
        started = self.job.patience.monotonic()
        with self._begun(piece) as unfinished:
            if unfinished is None:
                return False
            self.work.run(script, piece.title, str(piece.script.path))
            piece.check()
            self._finish(piece, started, unfinished, last)
        return True

    def _alone(self, piece: Piece, script: str, last: bool) -> bool:
        """The same for transaction=none: begun and recorded in two transactions around it."""
        patience = self.job.patience
        started = patience.monotonic()
        mark = (piece.entry.version, piece.checksum)
        with self._begun(piece) as unfinished:
            if unfinished is None:
                return False
            self.work.at_end(
                "mark_unfinished",
                version=piece.entry.version,
                checksum=piece.checksum,
                environment=self._environment,
            )
        statement = recognize(script)
        self.work.lock_timeout(
            patience.concurrent_lock_ms if statement.concurrent else patience.lock_timeout_ms
        )
        connection = self.work.connection
        for name in mend(connection, statement):
            patience.progress(f"dropped the invalid index {name} that an earlier try left")
        if unfinished != mark or not is_done(connection, statement):
            self._run_marked(script)
        if statement.index and not index_state(connection, statement)[0]:
            raise CbctlError(
                f"{piece.title} ended without a valid index {statement.index}",
                where=str(self.job.address),
                exit=Exit.NOT_UNDONE,
                fix="run it again: the invalid index is dropped first",
            )
        with self._transaction(self._claim) as (claimed,):
            unfinished = self._claimed(claimed)
            piece.check()
            self._finish(piece, started, unfinished, last)
        return True

    def _finish(self, piece: Piece, started: float, unfinished: Mark, last: bool) -> None:
        piece.record(started)
        if unfinished != NOTHING:
            self.work.at_end("clear_unfinished", environment=self._environment)
        if last:
            self.work.at_end("end_building")

    def _run_marked(self, script: str) -> None:
        """The mark stays when the end is unknown; after the server's own error it must not."""
        import psycopg

        try:
            self.work.run_alone(script)
        except psycopg.Error:
            if not self.work.connection.closed:
                self.work.execute("clear_unfinished", environment=self._environment)
            raise

    def _claim_now(self) -> None:
        self._claimed(
            self.work.execute("claim_fence", environment=self._environment, token=self.job.token)
        )

    def _claimed(self, row: Row) -> Mark:
        """What is unfinished, from the answer to the claim. Raises when our token is too old."""
        if row is None:
            raise CbctlError(
                f"a newer run has changed this database; the lock of this run (token "
                f"{self.job.token}) is no longer valid",
                where=str(self.job.address),
                exit=Exit.LOCKED,
                fix="look at the newer run with cbctl lock status; if the store of the locks was "
                "made anew, so that tokens began again, delete the row in cbctl_fence",
            )
        return row[0], row[1]

    def is_applied(self, entry: Entry, row: Row) -> bool:
        if row is not None and row[0] != entry.checksum:
            raise refused(
                self.job, f"another run applied {entry.title} with other content", "plan again"
            )
        return row is not None

    def record(self, entry: Entry, started: float) -> None:
        milliseconds = round((self.job.patience.monotonic() - started) * 1000)
        self.work.at_end(
            "record",
            version=entry.version,
            description=entry.name,
            phase=entry.phase,
            checksum=entry.checksum,
            applied_by=f" in run {self.job.by}" if self.job.by else "",
            execution_ms=min(milliseconds, 2**31 - 1),
            reversible=entry.reversible,
        )

    def forget(self, entry: Entry) -> None:
        self.work.at_end("forget", version=entry.version)

    def _failure(self, error: psycopg.Error, piece: Piece, script: str, attempt: int) -> CbctlError:
        title, where = piece.title, str(piece.script.path)
        if self.work.stopped_at:
            where += f":{script.count(chr(10), 0, self.work.stopped_at - 1) + 1}"
        before = f"; {len(self.ran)} before it stay" if self.ran else ""
        said = explain(error, self.job.address)
        if self.work.inside.kept:
            return self.work.inside.ended(title, where, said + before)
        what = f"{title} failed and was taken back: {said}"
        fix = "correct the file; nothing of it is in the database"
        exit_code = Exit.NOT_UNDONE if self.ran else Exit.FAILED
        if error.sqlstate in AGAIN:
            who = "; ".join(self.work.blocked_by) or "a session that has ended meanwhile"
            what = f"{title} did not get its table locks in {attempt} tries, blocked by {who}"
            fix = "end that session or wait for it, then run it again"
        elif self.work.connection.closed:
            what = f"the connection broke during {title}: {said}"
            fix = "run it again: it continues where this run stopped"
        elif not piece.script.transactional:
            what = f"{title} failed: {said}"
            fix = "correct what the server says and run it again; the file runs without transaction"
        return CbctlError(what + before, where=where, fix=fix, exit=exit_code)

    def _guarded(self, doing: str, work: Callable[[], None]) -> None:
        import psycopg

        try:
            work()
        except psycopg.Error as error:
            raise failed(error, self.job.address, doing) from None
