from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.support import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Nothing deployed yet; reset, and looked through for processes and secrets, afterwards."""
    made = Platform.make(tmp_path)
    yield made
    made.end()


@pytest.fixture
def deployed(platform: Platform) -> Platform:
    """One that a test may change."""
    platform.deploy()
    return platform


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A deployed platform for the tests of a module that only look, or leave it as it was."""
    made = Platform.make(tmp_path_factory.mktemp("shared"))
    made.deploy()
    yield made
    made.end()
