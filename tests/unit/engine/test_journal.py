"""Each record carries the hash of the one before: what was changed is found."""

from __future__ import annotations

import json

import pytest
from tests.unit.engine.world import Disk, Machine, held_by, machine

from cbctl.engine import journal
from cbctl.engine.store import Conflict
from cbctl.errors import CbctlError, Exit

STREAM = "runs/20261122T193348-9f3a1c"


def written(count: int = 4) -> Machine:
    disk = Disk(lock=held_by(1))
    on = machine(disk)
    log = journal.Journal(on.store, on.world.clock, STREAM, 1)
    for number in range(count):
        log.write("step.intent", step=f"s{number}")
    return on


def test_records_are_numbered_chained_and_carry_the_token() -> None:
    on = written()
    records = journal.read(on.store, STREAM)
    assert [r.seq for r in records] == [1, 2, 3, 4]
    assert records[0].prev_hash == journal.GENESIS
    assert len({r.prev_hash for r in records}) == 4
    assert {(r.schema, r.token) for r in records} == {("1.0", 1)}
    head = journal.head(on.store, STREAM)
    assert (head.count, journal.newest(on.store)) == (4, head)


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("how", ["changed", "removed", "doubled", "swapped", "not json"])
def test_whatever_is_done_to_a_record_is_found(how: str, at: int) -> None:
    on = written(5)
    lines = on.disk.streams[STREAM]
    match how:
        case "changed":
            lines[at] = lines[at].replace(b'"step":"s', b'"step":"t')
        case "removed":
            del lines[at]
        case "doubled":
            lines.insert(at, lines[at])
        case "swapped":
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        case "not json":
            lines[at] = lines[at][:-1]
    with pytest.raises(CbctlError, match="the journal was changed after it was written") as caught:
        journal.read(on.store, STREAM)
    assert caught.value.exit is Exit.DIFFERS
    with pytest.raises(CbctlError):  # and nothing is added to it
        journal.Journal(on.store, on.world.clock, STREAM, 1)


def test_another_major_schema_is_refused_and_another_minor_is_read() -> None:
    on = written(1)
    line = json.loads(on.disk.streams[STREAM][0])
    on.disk.streams[STREAM] = [json.dumps({**line, "schema": "1.7", "new": 1}).encode()]
    assert journal.read(on.store, STREAM)[0].schema == "1.7"
    on.disk.streams[STREAM] = [json.dumps({**line, "schema": "2.0"}).encode()]
    with pytest.raises(CbctlError, match=r"schema 2\.0, this cbctl reads 1\.0") as caught:
        journal.read(on.store, STREAM)
    assert caught.value.exit is Exit.REFUSED


def test_two_writers_of_one_stream_do_not_mix() -> None:
    on = written(1)
    one = journal.Journal(on.store, on.world.clock, STREAM, 1)
    other = journal.Journal(on.store, on.world.clock, STREAM, 1)
    one.write("step.outcome")
    with pytest.raises(Conflict):
        other.write("step.outcome")
    assert len(journal.read(on.store, STREAM)) == 2


def test_ids_of_runs_sort_in_the_order_of_the_runs_whatever_the_clock_does() -> None:
    on = machine(Disk(lock=held_by(1)), jumps=True, seed=3)
    ids = []
    for _ in range(60):
        id = journal.new_run(on.store, on.world.clock, on.world.random)
        journal.Journal(on.store, on.world.clock, journal.RUNS + id, 1).write("run.started")
        ids.append(id)
    assert ids == sorted(ids) and len(set(ids)) == 60


@pytest.mark.parametrize("strange", ["zzz", "99991231T235959-ffffff", "20261399T000000-aaaaaa"])
def test_a_run_with_a_strange_name_does_not_stop_the_next(strange: str) -> None:
    on = machine()
    on.disk.streams[journal.RUNS + strange] = [b"{}"]
    assert journal.new_run(on.store, on.world.clock, on.world.random)


def test_the_end_of_nothing() -> None:
    on = machine()
    assert journal.newest(on.store) is None
    assert journal.head(on.store, STREAM) == journal.Head(STREAM, 0, journal.GENESIS)


@pytest.mark.parametrize("line", [b"\xff\xfe{}", b"[" * 100_000, b"{", b"null"])
def test_a_line_that_is_no_record_is_told_as_a_changed_journal(line: bytes) -> None:
    with pytest.raises(CbctlError) as caught:
        list(journal.check("runs/a", [line]))
    assert caught.value.exit is Exit.DIFFERS and caught.value.where == "runs/a"
