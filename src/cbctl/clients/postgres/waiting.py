"""How the runner waits: for its lock, for a statement, before it tries again."""

from __future__ import annotations

import selectors
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbctl.clients.postgres.queries import query

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

    from cbctl.clients.postgres.connect import Connection


_LOOK = 0.25


def _silent(message: str, done: int | None = None, total: int | None = None) -> None:
    return None


def _unseen(result: PGresult) -> None:
    return None


@dataclass(frozen=True)
class Patience:
    """Limits and the means of waiting. Seconds, except where the name says ms.

    lock_wait           how long to wait for another cbctl that migrates this database
    lock_timeout_ms     how long a statement may queue for a table lock, all traffic behind it
    concurrent_lock_ms  the same for CONCURRENTLY, behind which nobody queues
    tries               of one migration, when it did not get its table locks
    """

    lock_wait: float = 60.0
    lock_timeout_ms: int = 1000
    concurrent_lock_ms: int = 30_000
    tries: int = 12
    longest_pause: float = 2.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    progress: Callable[..., None] = _silent

    def pause(self, attempt: int, salt: int) -> float:
        """Seconds before the next try: doubled each time, 50-100 % of it so that two runners
        (two salts) do not meet again and again."""
        share = zlib.crc32(f"{salt}/{attempt}".encode()) / 2**32
        return min(self.longest_pause, 0.1 * 2.0**attempt) * (0.5 + share / 2)


def describe_session(row: tuple[Any, ...]) -> str:
    """pid, user, application, client address, seconds, [state] → words."""
    pid, user, application, address, seconds, *state = row
    words = f"session {pid}"
    words += f" of {user}" if user else ""
    words += f" ({application})" if application else ""
    words += f" from {address}" if address else ""
    words += f", {state[0]}" if state and state[0] else ""
    return words + (f", for {seconds} s" if seconds is not None else "")


def blockers(watcher: Connection, pid: int) -> list[str]:
    """Who the session `pid` waits for right now."""
    rows = watcher.execute(query("blockers"), {"pid": pid}).fetchall()
    return [describe_session(row) for row in rows]


def execute_watched(
    connection: Connection,
    script: str,
    on_wait: Callable[[], None],
    on_result: Callable[[PGresult], None] = _unseen,
    *,
    single: bool = False,
) -> None:
    """Runs a script and calls `on_wait` every _LOOK seconds meanwhile.

    Who blocks a statement can be seen only while it waits; its error does not say it.

    on_result  called with each statement's that came to its end
    single     the server refuses more than one statement
    Raises psycopg.Error.
    """
    try:
        problem = _execute(connection, script, on_wait, on_result, single)
    except BaseException:
        # Interrupted with the statement still running: the session is of no use any more.
        connection.close()
        raise
    if problem is not None:
        raise problem


def _execute(
    connection: Connection,
    script: str,
    on_wait: Callable[[], None],
    on_result: Callable[[PGresult], None],
    single: bool,
) -> psycopg.Error | None:
    import psycopg
    from psycopg.pq import ExecStatus

    pgconn = connection.pgconn
    if single:
        pgconn.send_query_params(script.encode(), None)
    else:
        pgconn.send_query(script.encode())
    problem: psycopg.Error | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ | selectors.EVENT_WRITE)
        while pgconn.flush():  # a long script: the socket takes it in pieces
            selector.select(_LOOK)
            pgconn.consume_input()
        selector.modify(connection.fileno(), selectors.EVENT_READ)
        while True:
            while pgconn.is_busy():
                if selector.select(_LOOK):
                    pgconn.consume_input()
                else:
                    on_wait()
            result = pgconn.get_result()
            if result is None:
                return problem
            if result.status == ExecStatus.FATAL_ERROR:
                problem = problem or psycopg.errors.error_from_result(result)
            elif result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT):
                raise psycopg.NotSupportedError("COPY FROM STDIN and TO STDOUT are not supported")
            else:
                on_result(result)
