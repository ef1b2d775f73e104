"""Which migrations are due."""

from __future__ import annotations

import pytest

from cbctl.clients.postgres.compare import Choice, Due, SchemaRange, compare
from cbctl.clients.postgres.ledger import Applied
from cbctl.clients.postgres.migrations import Entry, Phase
from cbctl.clients.postgres.waiting import Patience


def entries(words: str) -> list[Entry]:
    """ "1 2p" → 1 (pre), 2 (post)."""
    made = []
    for word in words.split():
        phase: Phase = "post" if word.endswith("p") else "pre"
        version = int(word.rstrip("p"))
        made.append(Entry(version, "x", phase, f"sum{version}", True, False))
    return made


def due(
    folder: str, applied: str, choice: Choice = "auto", new: bool = False, top: int = 99
) -> Due:
    rows = [Applied(e.version, e.name, e.phase, e.checksum) for e in entries(applied)]
    return compare(entries(folder), rows, choice, new=new, works_with=SchemaRange(0, top))


@pytest.mark.parametrize(
    ("folder", "applied", "choice", "new", "expected"),
    [
        ("1 2p 3", "", "auto", True, [1, 2, 3]),
        ("1 2p 3", "", "auto", False, [1, 3]),
        ("1 2p 3", "1", "auto", False, [3]),
        ("1 2p 3", "1 3", "auto", False, []),
        ("1 2p 3", "1 3", "post", False, [2]),
        ("1 2p 3", "1", "all", False, [2, 3]),
        ("1 2p 3", "1", "pre", True, [3]),
        ("1", "1 2 3", "auto", False, []),
    ],
)
def test_due(folder: str, applied: str, choice: Choice, new: bool, expected: list[int]) -> None:
    found = due(folder, applied, choice, new)
    assert not found.problem
    assert [e.version for e in found.due] == expected


@pytest.mark.parametrize(
    ("folder", "applied", "choice", "top", "said"),
    [
        ("1 2 3", "1 3", "pre", 9, "0002_x is not applied although"),
        ("1 2 3p", "1 3p", "pre", 9, "0002_x is not applied although"),
        ("1 2p 3p", "1 3p", "post", 9, "0002_x is not applied although"),
        ("1 2 3p", "1", "post", 9, r"0002_x \(pre\) has to run before"),
        ("2", "1 2", "pre", 9, "0001_x is applied, but the folder has no such file"),
        ("1", "1 2p", "pre", 1, "the code works with at most 0001"),
        ("1 2p", "1", "post", 1, "the code works with at most 0001"),
    ],
)
def test_problems(folder: str, applied: str, choice: Choice, top: int, said: str) -> None:
    found = due(folder, applied, choice, top=top)
    assert found.fix
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found.problem)


def test_what_is_worth_saying() -> None:
    assert "0002_x (post) still waits" in due("1 2p 3", "1").notes[0]
    assert "newer than the folder" in due("1", "1 2").notes[0]


def test_pauses_grow_differ_and_end() -> None:
    patience = Patience()
    pauses = [patience.pause(attempt, 7) for attempt in range(1, 13)]
    assert all(0.05 < pause <= 2 for pause in pauses)
    assert sum(pauses) + 12 * patience.lock_timeout_ms / 1000 < 40
    assert pauses != [patience.pause(attempt, 8) for attempt in range(1, 13)]
