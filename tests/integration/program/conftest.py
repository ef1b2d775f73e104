"""Starts real localnet processes and ends every one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.program.support import Localnet
from tests.testbed.forked import Forked


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """One cluster for all tests of a module: each makes keys of its own."""
    localnet = Localnet(tmp_path_factory.mktemp("localnet"))
    yield localnet
    localnet.stop()


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    """Runs cbctl, imports made beforehand."""
    server = Forked()
    yield server
    server.close()
