"""A chain without HTTP on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.localnet.support import Time, banks

from cbctl.localnet.bank import Bank


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def open_bank(tmp_path: Path, time: Time) -> Iterator[Callable[[], Bank]]:
    """A function that opens the same state again, as a restart after a kill does."""
    yield from banks(tmp_path / "state", time)
