"""Pairs of real processes race for the lock of a file store: never two holders."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.engine.racers import DIED, REFUSED, WON

from cbctl.engine import journal
from cbctl.machine import owner_state
from cbctl.stores.files import FileStore

RACERS = Path(__file__).with_name("racers.py")
PAIRS = 100
FULL = 10
"""Blocks of pairs in `make nightly`; one of them in `make test`."""


def race(folder: Path, *more: str) -> list[list[int]]:
    """Exit codes of each pair."""
    folder.mkdir(exist_ok=True)
    told = subprocess.run(
        [sys.executable, str(RACERS), str(folder), str(PAIRS), *more],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if more else None,
        text=True,
    ).stdout
    pairs = [[int(code) for code in line.split()] for line in told.splitlines()]
    assert len(pairs) == PAIRS
    return pairs


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, FULL))]
)
def test_pairs_of_processes_never_hold_the_lock_together(tmp_path: Path, block: int) -> None:
    pairs = race(tmp_path)
    codes = list(itertools.chain.from_iterable(pairs))
    assert set(codes) <= {WON, DIED, REFUSED}
    assert all({WON, DIED} & set(pair) for pair in pairs), "neither of a pair got the lock"
    assert REFUSED in codes, "they never met"

    store = FileStore(tmp_path, owner_state)
    records = [r for s in store.streams("races/") for r in journal.read(store, s)]
    intervals = [
        (token, [r.type for r in group])
        for token, group in itertools.groupby(records, lambda r: r.token)
    ]
    tokens = [token for token, _ in intervals]
    assert tokens == sorted(set(tokens)), "an interval inside another one"
    left = [types for _, types in intervals]
    assert left.count(["in", "out"]) == codes.count(WON)
    assert left.count(["in"]) == codes.count(DIED)
    assert len(left) == codes.count(WON) + codes.count(DIED)


def test_a_store_without_its_guard_is_caught(tmp_path: Path) -> None:
    """They meet closely enough for that, on a busy machine too."""
    for number in range(10):
        codes = set(itertools.chain.from_iterable(race(tmp_path / str(number), "unguarded")))
        if not codes <= {WON, DIED, REFUSED}:
            return
    raise AssertionError("a thousand pairs did not notice")
