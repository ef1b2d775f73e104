"""The ledger on disk: what comes back, and what a crash may leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.localnet import ledger as ledgers
from cbctl.localnet.errors import Stop
from cbctl.localnet.ledger import Ledger, Place, create
from cbctl.localnet.records import Entry, Moment, pack, unpack

RECORDS = [bytes([n]) * (50 + n) for n in range(5)]
FRAME = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with five records, closed."""
    create(tmp_path, "a vm")
    ledger = Ledger(tmp_path, "a vm")
    for record in RECORDS:
        ledger.append(record)
    ledger.close()
    return tmp_path


def _file(folder: Path) -> Path:
    return max(folder.iterdir())


def _records(folder: Path) -> tuple[list[bytes], int]:
    ledger = Ledger(folder, "a vm")
    try:
        return [payload for payload, _ in ledger.payloads(0)], ledger.cut
    finally:
        ledger.close()


def test_everything_comes_back(folder: Path) -> None:
    ledger = Ledger(folder, "a vm")
    found = list(ledger.payloads(0))
    assert [payload for payload, _ in found] == RECORDS
    assert [ledger.read(place) for _, place in found] == RECORDS
    assert [payload for payload, _ in ledger.payloads(found[2][1].end)] == RECORDS[3:]
    assert ledger.cut == 0
    ledger.close()


def test_records_are_what_they_were() -> None:
    entry = Entry(2**40, -5, True, False, b"signed", b"details")
    clock = Moment(7, 1_790_000_000, 10**12, -1)
    assert [unpack(pack(record)) for record in (entry, clock)] == [entry, clock]
    failed = entry._replace(succeeded=False, by_nonce=True, details=b"")
    assert unpack(pack(failed)) == failed
    with pytest.raises(ValueError, match="unknown kind 9"):
        unpack(b"\x09" + pack(entry)[1:])


def test_a_tail_torn_at_any_byte_is_cut_to_the_last_whole_record(folder: Path) -> None:
    whole = _file(folder).read_bytes()
    last = FRAME + len(RECORDS[-1])
    for missing in range(1, last):
        _file(folder).write_bytes(whole[:-missing])
        assert _records(folder) == (RECORDS[:-1], last - missing)
        assert _records(folder) == (RECORDS[:-1], 0)


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff" * 100, b"\x10\0\0\0", b"\x04\0\0\0abcdefgh"])
def test_garbage_after_the_last_record_is_cut(folder: Path, tail: bytes) -> None:
    _file(folder).write_bytes(_file(folder).read_bytes() + tail)
    assert _records(folder) == (RECORDS, len(tail))


def test_after_a_cut_the_ledger_goes_on(folder: Path) -> None:
    _file(folder).write_bytes(_file(folder).read_bytes()[:-1])
    ledger = Ledger(folder, "a vm")
    ledger.append(RECORDS[0])
    ledger.close()
    assert _records(folder) == ([*RECORDS[:-1], RECORDS[0]], 0)


def test_a_bad_record_before_good_ones_is_not_cut(folder: Path) -> None:
    content = bytearray(_file(folder).read_bytes())
    content[-150] ^= 1
    _file(folder).write_bytes(content)
    with pytest.raises(Stop, match="damaged") as stop:
        Ledger(folder, "a vm")
    assert stop.value.exit_code == 1
    assert _file(folder).read_bytes() == bytes(content)


@pytest.mark.parametrize("at", range(8))
def test_a_damaged_head_of_a_record_does_not_hide_the_good_ones_behind(
    folder: Path, at: int
) -> None:
    content = bytearray(_file(folder).read_bytes())
    third = sum(FRAME + len(record) for record in RECORDS[:2])
    content[ledgers.EMPTY_BYTES + third + at] ^= 0x10
    _file(folder).write_bytes(content)
    with pytest.raises(Stop, match=f"position {third}, with good records behind it"):
        Ledger(folder, "a vm")
    assert _file(folder).read_bytes() == bytes(content)


def test_a_block_that_a_power_cut_lost_takes_with_it_what_nobody_had_synced(folder: Path) -> None:
    content = bytearray(_file(folder).read_bytes())
    third = sum(FRAME + len(record) for record in RECORDS[:2])
    at = ledgers.EMPTY_BYTES + third
    content[at : at + 40] = bytes(40)
    _file(folder).write_bytes(content)
    assert _records(folder) == (RECORDS[:2], len(content) - at)


def test_damage_in_what_is_only_history_is_found_when_it_is_read(folder: Path) -> None:
    ledger = Ledger(folder, "a vm")
    places = [place for _, place in ledger.payloads(0)]
    ledger.close()
    content = bytearray(_file(folder).read_bytes())
    content[ledgers.EMPTY_BYTES + places[1].offset] ^= 1
    _file(folder).write_bytes(content)
    ledger = Ledger(folder, "a vm", places[3].offset - FRAME)
    assert ledger.read(places[0]) == RECORDS[0]
    with pytest.raises(ValueError, match="damaged"):
        ledger.read(places[1])
    ledger.close()


def test_only_what_was_synced_counts_as_synced(folder: Path) -> None:
    ledger = Ledger(folder, "a vm")
    place = ledger.append(RECORDS[0])
    assert ledger.synced < place.end == ledger.size
    ledger.sync()
    assert ledger.synced == place.end
    ledger.close()


def test_another_format_is_refused_with_one_sentence(folder: Path) -> None:
    content = bytearray(_file(folder).read_bytes())
    content[8] = 3
    _file(folder).write_bytes(content)
    with pytest.raises(Stop, match=r"format 3, this localnet reads format 2") as stop:
        Ledger(folder, "a vm")
    assert stop.value.exit_code == 64
    _file(folder).write_bytes(b"")
    with pytest.raises(Stop, match="not a localnet ledger"):
        Ledger(folder, "a vm")


@pytest.fixture
def segmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Place]]:
    """A ledger of many small files, and where its records are."""
    monkeypatch.setattr(ledgers, "SEGMENT_BYTES", 200)
    create(tmp_path, "a vm")
    ledger = Ledger(tmp_path, "a vm")
    places = [ledger.append(bytes([n]) * 60) for n in range(20)]
    ledger.close()
    assert len(list(tmp_path.iterdir())) == 7
    return tmp_path, places


def test_positions_hold_over_all_files(segmented: tuple[Path, list[Place]]) -> None:
    folder, places = segmented
    for start in (0, 7, 19):
        ledger = Ledger(folder, "a vm", places[start].offset - FRAME)
        found = list(ledger.payloads(places[start].offset - FRAME))
        assert [place for _, place in found] == places[start:]
        assert [ledger.read(place)[0] for place in places] == list(range(20))
        ledger.close()


def test_old_files_go_when_there_is_too_much(segmented: tuple[Path, list[Place]]) -> None:
    folder, places = segmented
    ledger = Ledger(folder, "a vm")
    assert ledger.droppable(10**9, ledger.size) == 0
    assert ledger.droppable(0, places[4].offset) <= places[4].offset  # what is needed stays
    first = ledger.droppable(500, ledger.size)
    assert ledger.size - first <= 500
    ledger.drop(first)
    assert ledger.first == first
    with pytest.raises(ValueError, match="no longer"):
        ledger.read(places[0])
    kept = [n for n, place in enumerate(places) if place.offset > first]
    assert [ledger.read(places[n])[0] for n in kept] == kept
    ledger.close()
    again = Ledger(folder, "a vm", first)
    assert [payload[0] for payload, _ in again.payloads(first)] == kept
    again.close()


def test_a_missing_or_short_file_in_the_middle_is_damage(
    segmented: tuple[Path, list[Place]],
) -> None:
    folder, _ = segmented
    middle = sorted(folder.iterdir())[3]
    whole = middle.read_bytes()
    middle.write_bytes(whole[:-1])
    with pytest.raises(Stop, match="damaged"):
        Ledger(folder, "a vm")
    middle.unlink()
    with pytest.raises(Stop, match="damaged"):
        Ledger(folder, "a vm")


def test_a_ledger_that_ends_before_what_the_store_has_is_damage(folder: Path) -> None:
    with pytest.raises(Stop, match="damaged"):
        Ledger(folder, "a vm", 10_000)
