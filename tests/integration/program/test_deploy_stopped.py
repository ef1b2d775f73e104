"""Ctrl-C leaves a buffer that the next run continues, and says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.program.commands import House
from tests.integration.program.support import (
    SMALL_ELF,
    SOL,
    Localnet,
    buffers,
    least,
    locked,
    variant,
)
from tests.testbed.forked import Forked
from tests.testbed.unreliable import Answer, Proxy, at_write


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
