"""Who did what when; and every change to a journal is found, at its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.steps import Script
from tests.unit.report import place as stories
from tests.unit.report.place import Place

from cbctl.engine import journal, release
from cbctl.engine.journal import BESIDE, RUNS, Head
from cbctl.engine.release import HISTORY
from cbctl.errors import CbctlError, Exit
from cbctl.report.audit import entries
from cbctl.report.audit_check import Checked, newest, verify
from cbctl.report.audit_copy import copy, parse_head, read_copy, read_heads, written


def check(place: Place, *heads: Head) -> Checked:
    return verify(copy(place.store, "local"), heads)


def found(checked: Checked) -> list[tuple[str, str]]:
    return [(f.kind, f.where) for f in checked.findings]


def heads(place: Place) -> list[Head]:
    return [journal.head(place.store, s) for s in (*place.store.streams(RUNS), HISTORY)]


def three_runs(place: Place) -> list[str]:
    """The first two record releases; the third goes on from an interruption."""
    stories.succeeded(place)
    place.later(60)
    stories.succeeded(place, value="newer", who="ben")
    place.later(60)
    steps = {"api": Script(seconds=1)}
    place.deploy({"api": stories.dies(place)}, value="third")
    place.later(60)
    assert place.resume(steps, value="third", who="carl")
    return place.runs


# -- list -----------------------------------------------------------------------------------


def test_who_did_what_oldest_first(place: Place) -> None:
    first, second, third = three_runs(place)
    broken = _broken(place)
    told = [(e.kind, e.what, e.who, e.run, e.result, e.release) for e in entries(place.store, "x")]
    assert told == [
        ("run", "deploy", "anna", first, "succeeded", "r1"),
        ("run", "deploy", "ben", second, "succeeded", "r2"),
        ("run", "deploy", "anna", third, "interrupted", ""),
        ("resume", "deploy resumed", "carl", third, "succeeded", ""),
        ("run", "deploy", "anna", place.runs[-2], "interrupted", ""),
        ("lock break", f"lock taken from anna, run {place.runs[-2]}", "dora", broken, "", ""),
    ]
    entry = entries(place.store, "x")[-1]
    assert (entry.reason, entry.environment, entry.host) == ("she left", "x", "dora-laptop")


def test_the_order_does_not_follow_a_clock_that_was_set_back(place: Place) -> None:
    stories.succeeded(place)
    place.later(-7200)
    stories.succeeded(place, value="newer")
    told = entries(place.store, "local")
    assert [e.release for e in told] == ["r1", "r2"] and told[0].at > told[1].at


def test_a_mark_and_what_was_left_out_are_told(place: Place) -> None:
    ended = place.deploy({"a": Script(), "b": Script()}, left_out=["a"])
    assert ended and ended.result == "succeeded"
    run = stories.succeeded(place)
    _mark(place, "r1", "bad", "it was slow")
    told = entries(place.store, "local")
    mark = told[-1]
    assert (mark.kind, mark.what) == ("release mark", "release r1 marked bad")
    assert (mark.who, mark.reason, mark.release) == ("dora", "it was slow", "r1")
    assert [(e.run, e.reason) for e in told[:2]] == [(ended.run, "without a"), (run, "")]


def test_a_broken_chain_is_not_listed(place: Place) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    place.write(RUNS + run, [lines[0].replace(b"anna", b"eve!"), *lines[1:]])
    with pytest.raises(CbctlError) as told:
        entries(place.store, "local")
    assert told.value.exit is Exit.DIFFERS


# -- verify ---------------------------------------------------------------------------------


def test_what_was_written_holds(place: Place) -> None:
    runs = three_runs(place)
    checked = check(place, *heads(place))
    assert checked.findings == ()
    counts = (checked.runs, checked.links, checked.releases, checked.heads)
    assert counts == (3, 4, 2, 4)
    assert checked.records == sum(h.count for h in heads(place))
    # what nothing holds on this machine; with heads everything is held
    assert checked.unheld == ()
    assert check(place).unheld == (HISTORY, RUNS + runs[-1])


def test_nothing_at_all_holds(place: Place) -> None:
    checked = check(place)
    assert (checked.findings, checked.runs, checked.records) == ((), 0, 0)


@pytest.mark.parametrize("at", range(9))
def test_one_byte_changed_in_any_record(place: Place, at: int) -> None:
    first, *_ = three_runs(place)
    lines = place.lines(RUNS + first)
    place.write(RUNS + first, [*lines[:at], _changed(lines[at]), *lines[at + 1 :]])
    checked = check(place)
    places = [w for _, w in found(checked)]
    # the last record is held by the run after it, which names it
    wanted = f"{RUNS}{first} record {at + 2}" if at + 1 < len(lines) else "record 1"
    assert any(wanted in w for w in places), checked.findings


def test_a_byte_that_is_no_text(place: Place) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    place.write(
        RUNS + run, [lines[0], lines[1].replace(b"postgres", b"\xff\xfestgres"), *lines[2:]]
    )
    checked = check(place)
    assert ("record", f"{RUNS}{run} record 2") in found(checked)
    assert "cannot be read" in checked.findings[0].what


def test_a_record_removed_put_in_or_without_its_beginning(place: Place) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    for changed, where, means in (
        ([*lines[:2], *lines[3:]], 3, "1 before it"),
        ([*lines[:2], lines[1], *lines[2:]], 3, "put in"),
        (lines[1:], 1, "its beginning"),
        ([*lines[:2], b"{}", *lines[2:]], 3, "changed"),
    ):
        place.write(RUNS + run, changed)
        finding = check(place).findings[0]
        assert finding.where == f"{RUNS}{run} record {where}" and means in finding.means


@pytest.mark.parametrize("which", [0, 1])
def test_a_run_removed(place: Place, which: int) -> None:
    runs = three_runs(place)
    (place.folder / f"{RUNS}{runs[which]}.ndjson").unlink()
    checked = check(place)
    kinds = {f.kind for f in checked.findings if f"{RUNS}{runs[which]} was removed" in f.means}
    assert kinds == {"link", "release"}
    link = next(f for f in checked.findings if f.kind == "link")
    assert link.where == f"{RUNS}{runs[which + 1]} record 1"


def test_the_newest_run_removed_is_found_with_a_head_alone(place: Place) -> None:
    *_, last = three_runs(place)
    kept = journal.head(place.store, RUNS + last)
    (place.folder / f"{RUNS}{last}.ndjson").unlink()
    assert check(place).findings == ()
    (finding,) = check(place, kept).findings
    assert finding.kind == "head" and "was removed" in finding.means
    (finding,) = check(place, Head("", kept.count, kept.hash)).findings
    assert finding.kind == "head"


def test_what_was_done_beside_the_runs(place: Place) -> None:
    stories.succeeded(place)
    done = [place.beside({"kill": Script()}, value=value) for value in ("one", "two")]
    assert [(e.kind, e.run, e.result) for e in entries(place.store, "x")][1:] == [
        ("run", id, "succeeded") for id in done
    ]
    assert check(place).findings == ()
    assert BESIDE + done[1] in [h.stream for h in newest(check(place).ends)]
    (place.folder / f"{BESIDE}{done[0]}.ndjson").unlink()
    (finding,) = check(place).findings
    assert finding.where == f"{BESIDE}{done[1]} record 1" and "was removed" in finding.means


def test_a_cut_tail(place: Place) -> None:
    first, _, last = three_runs(place)
    kept = journal.head(place.store, RUNS + last)
    place.write(RUNS + first, place.lines(RUNS + first)[:-1])
    (finding,) = check(place).findings
    assert finding.kind == "link" and "was cut off" in finding.means
    place.write(RUNS + first, place.lines(RUNS + first)[:2])
    assert {f.kind for f in check(place).findings} == {"link", "release"}

    # of the newest one only who kept its end knows
    place.write(RUNS + last, place.lines(RUNS + last)[:-1])
    before = check(place)
    after = check(place, kept)
    assert len(after.findings) == len(before.findings) + 1
    assert "had" in after.findings[-1].what and "was cut off" in after.findings[-1].means


def test_history_cut(place: Place) -> None:
    _, second, _ = three_runs(place)
    place.write(HISTORY, place.lines(HISTORY)[:1])
    (finding,) = check(place).findings
    assert finding.kind == "release" and finding.where.startswith(RUNS + second)
    assert "r2" in finding.what


def test_a_mark_that_a_rollback_made_cannot_be_taken_away(place: Place) -> None:
    stories.succeeded(place)
    steps = {"postgres": Script(), "api": Script()}
    place.later(5)
    ended = place.deploy(steps, release=["postgres", "api"], value="back", replaces="r1")
    assert ended and ended.release == "r2"
    assert check(place).findings == ()
    place.write(HISTORY, place.lines(HISTORY)[:2])
    (finding,) = check(place).findings
    assert "never calls bad" in finding.what


def test_a_run_put_in(place: Place) -> None:
    first, second, _ = three_runs(place)
    forged = f"{RUNS}{first[:-6]}ffffff"
    assert RUNS + first < forged < RUNS + second
    place.write(forged, place.lines(RUNS + first))
    finding = next(f for f in check(place).findings if f.kind == "link" and "between" in f.what)
    assert finding.where == f"{RUNS}{second} record 1" and forged in finding.means


def test_a_record_that_nobody_wrote_is_found_though_its_chain_holds(place: Place) -> None:
    run = stories.succeeded(place)

    def change(record: dict[str, Any]) -> None:
        if record["seq"] == 2:
            del record["data"]["changes"]

    place.rewrite(RUNS + run, change)
    [finding, *_] = check(place).findings
    assert (finding.kind, finding.where) == ("record", f"{RUNS}{run} record 2")
    assert finding.what.startswith("is no step.intent that cbctl writes")


def test_history_rewritten_alike_is_found_with_a_head_alone(place: Place) -> None:
    kept = heads_of_two(place)
    assert check(place).findings == (), "its owner can rewrite everything"
    checked = check(place, *kept)
    assert {f.kind for f in checked.findings} == {"head"}
    assert all("rewritten" in f.means or "changed" in f.means for f in checked.findings)
    assert len(checked.findings) == len(kept)


def heads_of_two(place: Place) -> list[Head]:
    """Rewrites who did it in two runs and the history, all hashes and links made good again."""
    stories.succeeded(place)
    place.later(60)
    stories.succeeded(place, value="newer")
    kept = heads(place)

    def change(record: dict[str, object]) -> None:
        data = record["data"]
        assert isinstance(data, dict)
        if "who" in data:
            data["who"] = "mallory"
        for name in ("parent", "journal"):
            if data.get(name):
                stream, count = data[name]["stream"], data[name]["count"]
                line = place.lines(stream)[count - 1]
                data[name]["hash"] = journal._hash(line)

    for stream in (*place.store.streams(RUNS), HISTORY):
        place.rewrite(stream, change)
    return kept


def test_a_broken_lock_names_the_run_before_it(place: Place) -> None:
    broken = _broken(place)
    checked = check(place)
    assert checked.findings == ()
    assert checked.unheld == (RUNS + broken,) and place.runs[-1] == broken


def test_a_newer_schema_cannot_be_judged(place: Place) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    place.write(RUNS + run, [lines[0].replace(b'"1.0"', b'"2.0"'), *lines[1:]])
    with pytest.raises(CbctlError) as told:
        check(place)
    assert told.value.exit is Exit.REFUSED


def test_an_export_while_a_run_writes_holds(place: Place) -> None:
    """A release that comes between two reads is in both the runs and the history, or in neither."""
    stories.succeeded(place)
    place.later(60)

    class Busy(type(place.store)):  # type: ignore[misc]
        calls = 0

        def streams(self, prefix: str) -> list[str]:
            Busy.calls += 1
            if Busy.calls == 1:
                stories.succeeded(place, value="meanwhile")
            return super().streams(prefix)  # type: ignore[no-any-return]

    checked = verify(copy(Busy(place.folder, place._state), "local"))
    assert checked.findings == () and checked.releases == 2


# -- export ---------------------------------------------------------------------------------


def export(place: Place, file: Path) -> list[str]:
    lines = list(written(copy(place.store, "local"), "2026-11-22T00:00:00.000Z", "cbctl 1"))
    file.write_text("".join(lines))
    return lines


def test_an_export_is_checked_without_the_store(place: Place, tmp_path: Path) -> None:
    three_runs(place)
    file = tmp_path / "a.ndjson"
    lines = export(place, file)
    assert all(json.loads(line) for line in lines)
    checked = verify(read_copy(file))
    assert checked.findings == () and checked.runs == 3 and checked.environment == "local"
    assert checked.unheld == ()
    assert [Head(**h) for h in json.loads(lines[-1])["heads"]] == sorted(
        heads(place), key=lambda h: h.stream
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines[:3], *lines[4:]],
        lambda lines: [lines[0], lines[1].replace("anna", "eve!"), *lines[2:]],
        lambda lines: [*lines, lines[1]],
        lambda lines: [*lines[:2], "[]\n", *lines[2:]],
        lambda lines: [*lines[:-1], lines[-1][:20]],
    ],
)
def test_a_spoilt_export(
    place: Place, tmp_path: Path, spoil: Callable[[list[str]], list[str]]
) -> None:
    stories.succeeded(place)
    file = tmp_path / "a.ndjson"
    file.write_text("".join(spoil(export(place, file))))
    assert "file" in {f.kind for f in verify(read_copy(file)).findings}


def test_an_export_shows_later_what_was_rewritten(place: Place, tmp_path: Path) -> None:
    stories.succeeded(place)
    file = tmp_path / "a.ndjson"
    export(place, file)
    run = place.runs[0]
    place.rewrite(RUNS + run, lambda record: record["data"].update(who="mallory"))
    kinds = [f.kind for f in check(place, *read_heads(file)).findings]
    assert kinds.count("head") == 1 and "release" in kinds


def test_damaged_bytes_are_exported_as_they_are(place: Place, tmp_path: Path) -> None:
    run = stories.succeeded(place)
    lines = place.lines(RUNS + run)
    place.write(RUNS + run, [lines[0], b"\xff\x00{", *lines[2:]])
    file = tmp_path / "a.ndjson"
    export(place, file)
    assert read_copy(file).streams[RUNS + run] == place.lines(RUNS + run)


# -- heads ----------------------------------------------------------------------------------

HASH = "ab" * 32


def test_heads_as_they_are_written() -> None:
    assert parse_head(f"12:{HASH.upper()}") == Head("", 12, HASH)
    assert parse_head(f"r-1:12:{HASH}") == Head("runs/r-1", 12, HASH)
    assert parse_head(f"{HISTORY}:1:{HASH}") == Head(HISTORY, 1, HASH)


@pytest.mark.parametrize("text", ["", "12", "12:abc", f"0:{HASH}", f"x:{HASH}", f"a:b:1:{HASH}"])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(CbctlError) as told:
        parse_head(text)
    assert told.value.exit is Exit.USAGE


def test_a_file_of_heads(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    end = {"count": 3, "hash": HASH}
    run, other = Head("runs/R", 3, HASH), Head("", 4, HASH)
    for text, wanted in (
        (json.dumps({"run": "R", "journal": end, "version": 1}, indent=1), [run]),
        (json.dumps([{"run": "R", "journal": end}] * 2), [run, run]),
        (json.dumps({"id": "r1", "journal": {"stream": "runs/R", **end}, "run": "R"}), [run]),
        (f"\n4:{HASH}\n" + json.dumps({"run": "R", "journal": end}) + "\n", [other, run]),
    ):
        file.write_text(text)
        assert read_heads(file) == wanted
    for nothing in ("", "{}", "[1, 2]", "null"):
        file.write_text(nothing)
        with pytest.raises(CbctlError) as told:
            read_heads(file)
        assert told.value.exit is Exit.USAGE


def test_what_to_keep_is_the_newest_run_and_the_history(place: Place) -> None:
    *_, last = three_runs(place)
    assert [h.stream for h in newest(check(place).ends)] == [RUNS + last, HISTORY]


def _changed(line: bytes) -> bytes:
    """One digit of its time."""
    at = line.index(b'"at":"') + 8
    return line[:at] + (b"1" if line[at : at + 1] != b"1" else b"2") + line[at + 1 :]


def _broken(place: Place) -> str:
    place.later(60)
    place.deploy({"api": stories.dies(place)}, value="stuck")
    place.later(60)
    return place.break_lock("dora", "she left")


def _mark(place: Place, id: str, state: release.State, reason: str) -> None:
    world = place.machine("dora").world
    from cbctl.engine import lock

    held = lock.acquire(world.store, world.clock, world.owner, "-", "mark")
    release.mark(world.store, world.clock, held.token, id, state, "dora", reason)
    held.release()
