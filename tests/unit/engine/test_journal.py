"""Each record carries the hash of the one before: what was changed is found."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from tests.unit.engine.world import Disk, Machine, held_by, machine

from cbctl.engine import journal
from cbctl.engine.store import Conflict
from cbctl.errors import CbctlError, Exit

STREAM = "runs/20261122T193348-9f3a1c"
AT = "2026-11-26T08:30:00.000Z"
BROKEN = {"reason": "why", "who": "anna", "host": "here", "holder": None}
INTENT: dict[str, Any] = {"step": "s", "identity": None, "before": None, "changes": []}
ENDED = {"result": "succeeded", "exit": 0, "changes": [], "release": None, "error": None}


def written(count: int = 4) -> Machine:
    disk = Disk(lock=held_by(1))
    on = machine(disk)
    log = journal.Journal(on.store, on.world.clock, STREAM, 1)
    log.write("lock.broken", step="s0", reason="why", who="anna", host="here", holder=None)
    for number in range(1, count):
        log.write("step.outcome", step=f"s{number}")
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
    one.write("step.outcome", step="s1")
    with pytest.raises(Conflict):
        other.write("step.outcome", step="s1")
    assert len(journal.read(on.store, STREAM)) == 2


def test_ids_of_runs_sort_in_the_order_of_the_runs_whatever_the_clock_does() -> None:
    on = machine(Disk(lock=held_by(1)), jumps=True, seed=3)
    ids = []
    for _ in range(60):
        id = journal.new_run(on.store, on.world.clock, on.world.random)
        log = journal.Journal(on.store, on.world.clock, journal.RUNS + id, 1)
        log.write("lock.broken", reason="", who="", host="", holder=None)
        ids.append(id)
    assert ids == sorted(ids) and len(set(ids)) == 60


@pytest.mark.parametrize("strange", ["zzz", "99991231T235959-ffffff", "20261399T000000-aaaaaa"])
def test_a_run_with_a_strange_name_does_not_stop_the_next(strange: str) -> None:
    on = machine()
    on.disk.streams[journal.RUNS + strange] = [b"{}"]
    assert journal.new_run(on.store, on.world.clock, on.world.random)


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("backup.verified", {"id": "b", "made": "yesterday", "digest": "", "who": "", "host": ""}),
        ("backup.verified", {"id": "b"}),
        ("run.started", {"kind": "deploy"}),
    ],
)
def test_what_would_not_be_read_again_is_not_written(type: str, data: Any) -> None:
    on = machine(Disk(lock=held_by(1)))
    log = journal.Journal(on.store, on.world.clock, "backups/history", 1)
    log.write("noted")
    with pytest.raises(CbctlError, match="reads again"):
        log.write(type, **data)
    log.write("noted")
    assert [record.seq for record in journal.read(on.store, "backups/history")] == [1, 2]


def test_the_end_of_nothing() -> None:
    on = machine()
    assert journal.newest(on.store) is None
    assert journal.head(on.store, STREAM) == journal.Head(STREAM, 0, journal.GENESIS)


def chained(*records: tuple[str, Any]) -> list[bytes]:
    """As whoever owns the file can write it."""
    lines: list[bytes] = []
    last = journal.GENESIS
    for seq, (type, data) in enumerate(records, 1):
        record = {"schema": "1.0", "seq": seq, "prev_hash": last, "at": AT, "token": 1}
        lines.append(json.dumps({**record, "type": type, "data": data}).encode())
        last = hashlib.sha256(lines[-1]).hexdigest()
    return lines


@pytest.mark.parametrize(
    ("type", "data", "why"),
    [
        ("step.intent", {"step": "s", "identity": None, "before": None}, "`changes`"),
        ("step.intent", {**INTENT, "changes": [{"what": "x"}]}, "`before`"),
        ("step.intent", {**INTENT, "changes": {}}, "Expected `array`"),
        ("step.failed", {"step": "s"}, "`phase`"),
        ("run.ended", {**ENDED, "exit": 99}, "99"),
        ("run.ended", {**ENDED, "result": None}, "Expected `str`"),
        ("run.undoing", {"error": "x", "where": "", "fix": "", "exit": "4"}, "Expected `int`"),
    ],
)
def test_a_record_that_nobody_wrote_is_told_though_its_chain_holds(
    type: str, data: Any, why: str
) -> None:
    with pytest.raises(CbctlError, match=f"record 2 is no {type} that cbctl writes") as caught:
        list(journal.check("runs/a", chained(("lock.broken", BROKEN), (type, data))))
    assert why in caught.value.what and caught.value.exit is Exit.DIFFERS


def test_a_run_begins_with_its_beginning_and_at_a_time() -> None:
    with pytest.raises(CbctlError, match="a run does not begin so"):
        list(journal.check("runs/a", chained(("run.ended", ENDED))))
    for time in ("soon", "2026-13-01T00:00:00.000Z", "2026-11-26T00:00:00"):
        [line] = chained(("lock.broken", BROKEN))
        with pytest.raises(CbctlError, match="its time"):
            list(journal.check("runs/a", [line.replace(AT.encode(), time.encode())]))


def test_what_a_newer_minor_version_adds_is_passed_over() -> None:
    told = chained(("lock.broken", {**BROKEN, "new": 1}), ("run.paused", {"why": 2}))
    assert len(list(journal.check("runs/a", told))) == 2


@pytest.mark.parametrize("line", [b"\xff\xfe{}", b"[" * 100_000, b"{", b"null"])
def test_a_line_that_is_no_record_is_told_as_a_changed_journal(line: bytes) -> None:
    with pytest.raises(CbctlError) as caught:
        list(journal.check("runs/a", [line]))
    assert caught.value.exit is Exit.DIFFERS and caught.value.where == "runs/a"
