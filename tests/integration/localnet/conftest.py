"""Starts localnet processes and ends every one of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.localnet.support import Localnet, Start, free_port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that starts one: same state folder each time unless told otherwise."""
    running: list[Localnet] = []

    def starter(state: Path | None = None, slot_ms: int = 50, *options: str) -> Localnet:
        net = Localnet(state or tmp_path / "state", free_port(neighbours=1), slot_ms, *options)
        running.append(net)
        return net

    yield starter
    for net in running:
        if net.process.returncode is None:
            net.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """One for all tests of a module that only need a chain."""
    localnet = Localnet(tmp_path_factory.mktemp("localnet"), free_port(neighbours=1), 50)
    yield localnet
    assert localnet.stop() == 0
