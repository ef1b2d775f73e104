"""A transaction that a script may not end: the server tells what became of it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.integration.db.conftest import Database

from cbctl.clients.postgres import session
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.inside import open_inside
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.session import NotHeld, check
from cbctl.clients.postgres.statements import Statement
from cbctl.errors import CbctlError, Exit

MADE = "create table made ()"
COMMITTED = "what it committed stays in the database, and is not recorded"


@pytest.mark.parametrize(
    ("script", "stays"),
    [
        (f"{MADE}; commit; begin", True),
        (f"{MADE}; end", True),
        (f"{MADE}; commit and chain", True),
        (f"rollback; {MADE}", True),  # a transaction of its own, without a word
        (f"rollback; begin; {MADE}; commit; begin", True),
        (f"{MADE}; rollback; begin", False),
        (f"rollback and chain; {MADE}", False),
        (f"rollback; begin; {MADE}", False),
    ],
)
def test_one_that_ended_is_found(one_database: Database, script: str, stays: bool) -> None:
    with connect(one_database.address) as connection:
        connection.execute("begin")
        inside = open_inside(connection)
        with pytest.raises(CbctlError, match="ended the transaction") as caught:
            inside.run(script, "it", "it.sql")
        connection.execute("rollback")
    assert caught.value.exit == Exit.NOT_UNDONE
    assert (COMMITTED in caught.value.what) is inside.kept is stays
    assert (one_database.rows("select to_regclass('made')") != [(None,)]) is stays


@pytest.mark.parametrize(
    ("script", "stays"),
    [
        (f"{MADE}; commit; begin; select 1/0", True),
        (f"{MADE}; commit; select 1/0", True),
        (f"rollback; begin; {MADE}; commit; select 1/0", True),
        (f"{MADE}; select 1/0", False),
        (f"rollback; {MADE}; select 1/0", False),
        (f"savepoint a; {MADE}; rollback to savepoint a; select 1/0; commit", False),
    ],
)
def test_one_that_ended_and_then_failed(one_database: Database, script: str, stays: bool) -> None:
    with connect(one_database.address) as connection:
        connection.execute("begin")
        inside = open_inside(connection)
        with pytest.raises(psycopg.errors.DivisionByZero):
            inside.run(script, "it", "it.sql")
        connection.execute("rollback")
    assert inside.kept is stays
    assert (one_database.rows("select to_regclass('made')") != [(None,)]) is stays


def test_one_that_did_not_end_goes_on(one_database: Database) -> None:
    with connect(one_database.address) as connection, connection.transaction():
        script = f"savepoint a; {MADE}; rollback to savepoint a; {MADE}; select 5 -- the end"
        open_inside(connection).run(script, "it", "it.sql")
    assert one_database.rows("select to_regclass('made')") != [(None,)]


@pytest.mark.parametrize(
    "hidden",
    [
        "set transaction read write; drop table made",
        "select set_config('transaction_read_only', 'off', true); drop table made",
        "do 'begin commit; drop table made; end'",
        "select 1; drop table made",
    ],
)
def test_a_look_changes_nothing(one_database: Database, hidden: str) -> None:
    one_database.do(MADE)
    look(one_database, hidden)


def test_a_look_takes_one_statement_at_a_time(
    one_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where our own splitter and checks are blind."""
    one_database.do(MADE)
    hidden = "select 1; commit; drop table made"
    monkeypatch.setattr(Script, "runnable", lambda script: script.text)
    monkeypatch.setattr(session, "split", lambda text: [Statement(text, 1, 0, len(text))])
    look(one_database, hidden, "multiple commands")


def look(database: Database, script: str, said: str = "does not hold") -> None:
    file = Script(Path("a.verify.sql"), script, transactional=True)
    with (
        connect(database.address) as connection,
        pytest.raises(NotHeld, match=said),
        connection.transaction(),
    ):
        check(connection, file)
    assert database.rows("select to_regclass('made')") != [(None,)]
