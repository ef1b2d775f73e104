"""The log on disk: what comes back, and what a crash may leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.localnet.errors import Stop
from cbctl.localnet.ledger import Entry, Genesis, Ledger, create

GENESIS = Genesis("aa" * 32, "bb" * 32, "cc" * 32, 500, 100, 1_700_000_000, "some vm")
ENTRIES = [Entry(100 + n, 1_700_000_000 + n, n % 2 == 0, bytes([n]) * (50 + n)) for n in range(5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with five entries, closed."""
    path = tmp_path / "ledger"
    create(path, GENESIS)
    ledger = Ledger(path)
    for entry in ENTRIES:
        ledger.append(entry)
    ledger.close()
    return path


def _entries(path: Path) -> tuple[list[Entry], int]:
    ledger = Ledger(path)
    try:
        return [entry for entry, _ in ledger.entries()], ledger.cut
    finally:
        ledger.close()


def test_everything_comes_back(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.genesis == GENESIS
    assert ledger.last_slot == 104
    found = list(ledger.entries())
    assert [entry for entry, _ in found] == ENTRIES
    assert [ledger.read(place) for _, place in found] == [entry.raw for entry in ENTRIES]
    assert ledger.cut == 0
    ledger.close()


def test_a_tail_torn_at_any_byte_is_cut_to_the_last_whole_record(path: Path) -> None:
    whole = path.read_bytes()
    last = 8 + 18 + len(ENTRIES[-1].raw)
    for missing in range(1, last):
        path.write_bytes(whole[:-missing])
        assert _entries(path) == (ENTRIES[:-1], last - missing)
        assert _entries(path) == (ENTRIES[:-1], 0)


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff" * 100, b"\x10\0\0\0", b"\x04\0\0\0abcdefgh"])
def test_garbage_after_the_last_record_is_cut(path: Path, tail: bytes) -> None:
    path.write_bytes(path.read_bytes() + tail)
    assert _entries(path) == (ENTRIES, len(tail))


def test_after_a_cut_the_log_goes_on(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    ledger = Ledger(path)
    ledger.append(ENTRIES[0])
    ledger.close()
    assert _entries(path) == ([*ENTRIES[:-1], ENTRIES[0]], 0)


def test_a_bad_record_before_good_ones_is_not_cut(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-150] ^= 1
    path.write_bytes(content)
    with pytest.raises(Stop, match="damaged") as stop:
        Ledger(path)
    assert stop.value.exit_code == 1
    assert path.read_bytes() == bytes(content)


@pytest.mark.parametrize("at", range(8))
def test_a_damaged_head_of_a_record_does_not_hide_the_good_ones_behind(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    third = len(content) - sum(8 + 18 + len(e.raw) for e in ENTRIES[2:])
    content[third + at] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(Stop, match=f"damaged at byte {third}"):
        Ledger(path)
    assert path.read_bytes() == bytes(content)


def test_a_block_that_a_power_cut_lost_takes_with_it_what_nobody_had_synced(path: Path) -> None:
    content = bytearray(path.read_bytes())
    third = len(content) - sum(8 + 18 + len(e.raw) for e in ENTRIES[2:])
    content[third : third + 40] = bytes(40)
    path.write_bytes(content)
    assert _entries(path) == (ENTRIES[:2], len(content) - third)


def test_only_what_was_synced_counts_as_synced(path: Path) -> None:
    ledger = Ledger(path)
    place = ledger.append(ENTRIES[0])
    assert ledger.synced < place.end == ledger.size
    ledger.sync()
    assert ledger.synced == place.end
    ledger.close()


def test_another_format_is_refused_with_one_sentence(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8] = 2
    path.write_bytes(content)
    with pytest.raises(Stop, match=r"format 2, this localnet reads format 1") as stop:
        Ledger(path)
    assert stop.value.exit_code == 64
    path.write_bytes(b"")
    with pytest.raises(Stop, match="not a localnet ledger"):
        Ledger(path)
