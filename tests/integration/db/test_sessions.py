"""`cbctl db sessions` and `kill` on a real Postgres: who holds whom up, and an end of it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.testbed.context import FakeContext
from tests.testbed.waiting import wait_for

from cbctl.clients.postgres.clients import clients, held_up, worth_a_look
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.config.types import Reference, Secret
from cbctl.engine.step import Blocked, Change, Changes, Nothing, Verified
from cbctl.report.sessions import sessions
from cbctl.steps.db import migrate
from cbctl.steps.db.kill import STEP, Inputs

URL = Reference(kind="state", name="database-url")


def pid(connection: psycopg.Connection[Any]) -> int:
    return connection.info.backend_pid


def started(database: Any, name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database.url, application_name=name)


def waiting(connection: psycopg.Connection[Any]) -> threading.Thread:
    """Wants the table for itself, until it has it or its session ends."""

    def want() -> None:
        with suppress(psycopg.Error):
            connection.execute("lock table shop in access exclusive mode")
            connection.rollback()

    thread = threading.Thread(target=want, daemon=True)
    thread.start()
    return thread


def test_who_holds_whom_up_and_an_end_of_it(one_database: Any) -> None:
    one_database.do("create table shop (id int)")
    holder, first, second = (started(one_database, n) for n in ("holder", "first", "second"))
    holder.execute("select from shop")
    threads = [waiting(first), waiting(second)]

    def blocked() -> bool:
        with connect(one_database.address) as connection:
            return sum(bool(c.blocked_by) for c in clients(connection, one_database.address)) == 2

    wait_for(blocked, 20, "both waiting")
    with connect(one_database.address) as connection:
        found = clients(connection, one_database.address)
    assert held_up(found, pid(holder)) == 2
    assert {one.pid for one in worth_a_look(found)} == {pid(c) for c in (holder, first, second)}
    shown = {one.pid: one for one in sessions(Secret(one_database.url), "url", everyone=False)}
    assert shown[pid(holder)].state == "idle in transaction"
    assert shown[pid(holder)].holds_up == 2
    assert pid(holder) in shown[pid(first)].blocked_by

    # idle in a transaction: no statement to cancel, so the session is ended
    ctx = FakeContext({"database-url": one_database.url})
    inputs = Inputs(URL, pid(holder))
    verdict = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    intent = STEP.identify(ctx, inputs, verdict.changes)
    assert STEP.apply(ctx, inputs, verdict.changes, intent).sessions == {str(inputs.pid): "ended"}
    assert isinstance(STEP.verify(ctx, inputs), Verified)
    again = STEP.apply(ctx, inputs, verdict.changes, intent)
    assert again.sessions == {str(inputs.pid): "gone"}, "and not a later one"
    with pytest.raises(psycopg.Error):
        holder.execute("select 1")

    for thread in threads:
        thread.join(20)
    for connection in (first, second, holder):
        connection.close()


def test_a_statement_is_cancelled_and_its_session_stays(one_database: Any) -> None:
    busy = psycopg.connect(one_database.url, autocommit=True)
    ended: list[BaseException] = []

    def sleep() -> None:
        try:
            busy.execute("select pg_sleep(60)")
        except psycopg.errors.QueryCanceled as error:
            ended.append(error)

    thread = threading.Thread(target=sleep)
    thread.start()
    ctx = FakeContext({"database-url": one_database.url})
    inputs = Inputs(URL, pid(busy))

    def at_work() -> bool:
        facts = STEP.observe(ctx, inputs)
        return "'state': 'active'" in str(facts.evidence)

    wait_for(at_work, 20, "the statement")
    verdict = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    intent = STEP.identify(ctx, inputs, verdict.changes)
    assert STEP.apply(ctx, inputs, verdict.changes, intent).sessions == {
        str(inputs.pid): "cancelled"
    }
    thread.join(20)
    assert ended, "the statement was cancelled"
    assert busy.execute("select 1").fetchone() == (1,)
    busy.close()


def test_whom_it_does_not_end(one_database: Any) -> None:
    ctx = FakeContext({"database-url": one_database.url})
    gone = Inputs(URL, 1)
    assert isinstance(STEP.plan(gone, STEP.observe(ctx, gone).facts), Nothing)
    with connect(one_database.address) as ours:
        inputs = Inputs(URL, ours.info.backend_pid)
        verdict = STEP.plan(inputs, STEP.observe(ctx, inputs).facts)
        assert isinstance(verdict, Blocked)
        assert "another cbctl" in verdict.why


def test_an_idle_session_and_one_that_came_later(one_database: Any) -> None:
    idle = psycopg.connect(one_database.url, autocommit=True)
    ctx = FakeContext({"database-url": one_database.url})
    inputs = Inputs(URL, pid(idle))
    facts = STEP.observe(ctx, inputs).facts
    (found,) = facts.sessions
    assert found.started in found.what
    verdict = STEP.plan(inputs, facts)
    assert isinstance(verdict, Changes)
    another = STEP.identify(ctx, inputs, (Change(f"session {inputs.pid}, connected before"),))
    assert STEP.apply(ctx, inputs, verdict.changes, another).sessions == {}
    assert idle.execute("select 1").fetchone() == (1,), "a later session with its pid is not hit"
    intent = STEP.identify(ctx, inputs, verdict.changes)
    assert STEP.apply(ctx, inputs, verdict.changes, intent).sessions == {str(inputs.pid): "ended"}
    with pytest.raises(psycopg.Error):
        idle.execute("select 1")
    idle.close()


def test_those_that_a_migration_waits_for_and_no_other(one_database: Any, tmp_path: Path) -> None:
    one_database.do("create table shop (id int); create table other (id int)")
    (tmp_path / "0001_a.up.sql").write_text("alter table shop add column at timestamptz;")
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 1}')
    record_marker(one_database.address, Marker("testing", "local"))
    ctx = FakeContext({"database-url": one_database.url})
    blocking = Inputs(URL)
    nobody = STEP.plan(blocking, STEP.observe(ctx, blocking).facts)
    assert nobody == Nothing("no migration is at work on this database")

    holder, elsewhere = started(one_database, "holder"), started(one_database, "elsewhere")
    holder.execute("select from shop")
    elsewhere.execute("select from other")
    given = migrate.Inputs(URL, tmp_path, "testing", "local", schema=tmp_path / "schema.json")
    migrating = FakeContext({"database-url": one_database.url})
    looked = migrate.STEP.observe(migrating, given)
    due = migrate.STEP.plan(given, looked.facts)
    assert isinstance(due, Changes)
    assert f"session {pid(holder)} (" in str(looked.evidence["notes"])
    assert "with locks on shop, which may be in the way" in str(looked.evidence["notes"])
    done: list[migrate.Outcome] = []
    changes = due.changes

    def run() -> None:
        done.append(migrate.STEP.apply(migrating, given, changes, None))

    thread = threading.Thread(target=run)
    thread.start()

    def blocked() -> bool:
        return bool(STEP.observe(ctx, blocking).facts.sessions)

    wait_for(blocked, 60, "the migration to wait")
    facts = STEP.observe(ctx, blocking).facts
    assert [one.pid for one in facts.sessions] == [pid(holder)]
    verdict = STEP.plan(blocking, facts)
    assert isinstance(verdict, Changes)
    assert str(verdict.changes[0].before).endswith("at shop")
    intent = STEP.identify(ctx, blocking, verdict.changes)
    ended = STEP.apply(ctx, blocking, verdict.changes, intent)
    assert ended.sessions == {str(pid(holder)): "ended"}
    assert isinstance(STEP.verify(ctx, blocking), Verified)
    thread.join(60)
    assert done and done[0].applied == ("0001_a",)
    elsewhere.execute("select 1")
    holder.close()
    elsewhere.close()
