"""A deploy killed by SIGKILL anywhere and run again: nothing is sent twice, no lamport is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.program.support import (
    SOL,
    Localnet,
    Wallet,
    buffers,
    least,
    locked,
    run,
    variant,
)

from cbctl.clients.solana import loader
from cbctl.clients.solana.buffer import WRITES_PER_V1, differing, locate
from cbctl.clients.solana.elf import parse
from cbctl.clients.solana.onchain import look
from cbctl.engine.step import Nothing
from cbctl.steps.program import deploy

ROOT = Path(__file__).parents[3]
TAIL = 120_000  # makes 40 transactions of writes
SEED = int(os.environ.get("CBCTL_TEST_SEED", "20261122"))
# A deploy of this size makes 14 requests before the writes, one for each of the 40, some to look
# at statuses, and about 15 from the last write on.
SPREAD = ((1, 14), (15, 28), (29, 42), (43, 56), (57, 75))


def cases(rounds: int) -> list[tuple[int, str]]:
    chance = random.Random(SEED)
    return [
        (chance.randint(*span), chance.choice(("before", "after")))
        for _ in range(rounds)
        for span in SPREAD
    ]


def kill_at(net: Localnet, wallet: Wallet, elf: Path, last: int, when: str) -> int:
    command = [net.url, str(wallet.folder), str(elf), str(last), when]
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.program.killed_child", *command],
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    time.sleep(0.3)  # a request that was on its way arrives
    return done.returncode


def check(net: Localnet, tmp_path: Path, last: int, when: str) -> None:
    print(f"seed {SEED}: killed {when} request {last}")
    wallet = Wallet.make(tmp_path / "keys")
    key, program = wallet.key.pubkey(), wallet.program.pubkey()
    net.fund(key, 10 * SOL)
    path = variant(tmp_path, TAIL, 7)
    elf = parse(path.read_bytes())
    code = kill_at(net, wallet, path, last, when)
    assert code in (-signal.SIGKILL, 0)
    earlier = len(net.history(key))
    place = locate(net.rpc, key, program, elf)
    landed = look(net.rpc, program).state == "deployed"
    missing = len(differing(elf.data, place.elf or bytes(elf.size), loader.WRITE_PAYLOAD))

    ran = run(deploy.STEP, wallet.inputs(net, path))

    sent = len(net.history(key)) - earlier
    if landed:
        assert isinstance(ran.verdict, Nothing)
        assert sent == 0
    else:
        if place.elf is None:
            assert sent == least(elf.size)
        else:
            assert sent == -(-missing // WRITES_PER_V1) + 1
    assert all(one["meta"]["err"] is None for one in net.history(key))
    assert net.rpc.balance(key) + locked(net, program) + net.fees(key) == 10 * SOL
    assert buffers(net, key) == []


@pytest.mark.parametrize(("last", "when"), cases(1))
def test_killed_and_continued(net: Localnet, tmp_path: Path, last: int, when: str) -> None:
    check(net, tmp_path, last, when)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(100))
def test_killed_and_continued_many_times(net: Localnet, tmp_path: Path, number: int) -> None:
    check(net, tmp_path, *cases(20)[number])


def test_killed_again_and_again(net: Localnet, tmp_path: Path) -> None:
    """Each try gets a little further; the last one finishes what all of them began."""
    wallet = Wallet.make(tmp_path / "keys")
    key = wallet.key.pubkey()
    net.fund(key, 10 * SOL)
    path = variant(tmp_path, TAIL, 9)
    for last in (16, 22, 28):
        assert kill_at(net, wallet, path, last, "after") == -signal.SIGKILL
    run(deploy.STEP, wallet.inputs(net, path))
    # the same number of transactions as without a kill, save groups that were cut in two
    sent, few = len(net.history(key)), least(path.stat().st_size)
    assert few <= sent <= few + 3
    spent = 10 * SOL - net.rpc.balance(key)
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(key)
    assert buffers(net, key) == []
