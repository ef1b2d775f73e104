"""Ctrl-C leaves a buffer that the next run continues, and says so."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import (
    SMALL_ELF,
    SOL,
    Localnet,
    Wallet,
    buffers,
    least,
    locked,
    run,
    variant,
)
from tests.testbed.context import FakeContext
from tests.testbed.forked import Forked
from tests.testbed.unreliable import Answer, Proxy, at_write

from cbctl.engine.world import Stopped
from cbctl.steps.program import deploy


def test_stopped_and_continued(net: Localnet, tmp_path: Path, forked: Forked) -> None:
    house = House.make(tmp_path, net, forked)
    elf = tmp_path / "program.so"
    elf.write_bytes(variant(tmp_path, 60_000, 8, SMALL_ELF).read_bytes())
    key, reached = house.wallet.pubkey(), threading.Event()
    stops = at_write(8, reached.set)

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        """From the eighth write on nothing arrives."""
        answer = stops(method, params, ask)
        lost = reached.is_set() and method == "sendTransaction"
        return Answer(body=None) if lost else answer

    with Proxy(net.url, rule) as proxy:
        config = house.folder / "cbctl.yaml"
        config.write_text(config.read_text().replace(net.url, proxy.url))
        process = house.start("deploy")
        try:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 8
        assert b"resume" in err
        assert b"1 change made or begun stay" in err
        (buffer,) = buffers(net, key)
        assert f"the buffer {buffer} keeps what was written".encode() in err
        reached.clear()
        done = house.cbctl("resume", "--env", "dev").ended()
    assert f"continuing the buffer {buffer}: " in done.err
    assert f" of {elf.stat().st_size:,} bytes are there" in done.err
    assert buffers(net, key) == []
    program = house.program.pubkey()
    assert net.rpc.balance(key) + locked(net, program) + net.fees(key) == 20 * SOL
    few = least(elf.stat().st_size)
    # of a group of three chunks that was lost, none is there
    assert few <= len(net.history(key)) <= few + 1


def test_who_takes_the_place_of_a_killed_run_is_told_where_its_money_is(
    net: Localnet, tmp_path: Path, forked: Forked
) -> None:
    house = House.make(tmp_path, net, forked)
    reached = threading.Event()
    stops = at_write(3, reached.set)

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        answer = stops(method, params, ask)
        lost = reached.is_set() and method == "sendTransaction"
        return Answer(body=None) if lost else answer

    config = house.folder / "cbctl.yaml"
    with Proxy(net.url, rule) as proxy:
        config.write_text(config.read_text().replace(net.url, proxy.url))
        process = house.start("deploy")
        try:
            assert reached.wait(60)
        finally:
            process.kill()
            process.communicate(timeout=30)
    house.configure()
    (left,) = buffers(net, house.wallet.pubkey())
    elf = house.folder / "program.so"
    elf.write_bytes(elf.read_bytes() + b"1")
    told = house.run("deploy").ended().err
    (words,) = re.findall(r"what it had begun: cbctl (why \S+ --env dev)", told)
    assert f"buffer {left}" in " ".join(house.cbctl(*words.split()).ended().out.split())


@dataclass
class StoppedBefore(FakeContext):
    """Ctrl-C comes when the step has said this."""

    word: str = ""

    def fence(self) -> None:
        super().fence()
        if self.word in self.said:
            raise Stopped("stopped: SIGINT")


def test_stopped_when_all_is_written(net: Localnet, tmp_path: Path) -> None:
    """The whole price of a program lies in the buffer then."""
    owner = Wallet.make(tmp_path / "keys")
    net.fund(owner.key.pubkey(), 2 * SOL)
    with pytest.raises(Stopped) as stopped:
        run(deploy.STEP, owner.inputs(net, SMALL_ELF), StoppedBefore(word="deploy the program"))
    (buffer,) = buffers(net, owner.key.pubkey())
    (note,) = stopped.value.__notes__
    assert f"the buffer {buffer} keeps what was written" in note
