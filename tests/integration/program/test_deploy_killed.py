"""`cbctl program deploy` killed with -9 anywhere and resumed: deployed and verified, nothing sent
twice, every lamport accounted for."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import SMALL_ELF, SOL, Localnet, buffers, locked, variant
from tests.testbed.forked import Forked
from tests.testbed.unreliable import Answer, Proxy

from cbctl.clients.solana.elf import executable_hash
from cbctl.clients.solana.onchain import look

SEED = int(os.environ.get("CBCTL_TEST_SEED", "20261126"))
SAMPLE, ALL = 10, 100
REQUESTS = 60  # that an unbroken deploy of this file makes, about


class Killer:
    """Kills a process right before its n-th request reaches the node, or right after."""

    def __init__(self, last: int, after: bool) -> None:
        self._numbers, self._last, self._after = itertools.count(1), last, after
        self._lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        with self._lock:
            mine = next(self._numbers) == self._last
        if not mine or self.process is None:
            return None
        if self._after:
            ask()
        self.process.kill()
        self.process = None
        return Answer(body=None)


@pytest.fixture
def house(net: Localnet, tmp_path: Path, forked: Forked) -> Iterator[House]:
    made = House.make(tmp_path, net, forked)
    (tmp_path / "program.so").write_bytes(variant(tmp_path, 16_000, 8, SMALL_ELF).read_bytes())
    yield made


def check(net: Localnet, house: House, number: int) -> None:
    chance = random.Random(f"{SEED} {number}")
    last, after = chance.randint(1, REQUESTS), chance.random() < 0.5
    print(f"seed {SEED}: killed {'after' if after else 'before'} request {last}")
    killer = Killer(last, after)
    key, program = house.wallet.pubkey(), house.program.pubkey()
    with Proxy(net.url, killer) as proxy:
        config = house.folder / "cbctl.yaml"
        config.write_text(config.read_text().replace(net.url, proxy.url))
        process = killer.process = house.start("deploy")
        process.communicate(timeout=120)
        done = house.cbctl("resume", "--env", "dev")
        if done.exit:  # killed before there was a run, or after it was complete
            house.run("deploy").ended()
        assert house.run("deploy", "--output", "json").ended().json["result"] == "unchanged"
    chain = look(net.rpc, program)
    assert chain.hash == executable_hash((house.folder / "program.so").read_bytes())
    assert all(one["meta"]["err"] is None for one in net.history(key))
    assert net.rpc.balance(key) + locked(net, program) + net.fees(key) == 20 * SOL
    assert buffers(net, key) == []


@pytest.mark.parametrize("number", range(SAMPLE))
def test_killed_and_resumed(net: Localnet, house: House, number: int) -> None:
    check(net, house, number)


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(SAMPLE, ALL))
def test_killed_and_resumed_many_times(net: Localnet, house: House, number: int) -> None:
    check(net, house, number)
