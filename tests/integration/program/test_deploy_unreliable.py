"""A deploy through a node that drops, limits, forgets, cuts off and tells old news."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
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
from tests.testbed.unreliable import (
    Answer,
    Proxy,
    Rule,
    behind,
    cut_in_half,
    drops,
    legacy_only,
    limits,
    moody_statuses,
    swallows,
)

from cbctl.clients.solana.buffer import legacy_chunk
from cbctl.engine.step import Changes
from cbctl.steps.program import deploy

SEED = 20261122
FAST_MS = 20  # 150 blocks in 3 s
TAIL = 16_000


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """Its blockhashes are soon too old."""
    localnet = Localnet(tmp_path_factory.mktemp("fast"), slot_ms=FAST_MS)
    yield localnet
    localnet.stop()


def file(tmp_path: Path) -> Path:
    return variant(tmp_path, TAIL, 5, SMALL_ELF)


def deployed(net: Localnet, tmp_path: Path, rule: Rule) -> tuple[Wallet, Proxy]:
    wallet = Wallet.make(tmp_path / "keys")
    key = wallet.key.pubkey()
    net.fund(key, 10 * SOL)
    with Proxy(net.url, rule) as proxy:
        ran = run(deploy.STEP, wallet.inputs(net, file(tmp_path), rpc=proxy.url))
    assert isinstance(ran.verdict, Changes)
    spent = 10 * SOL - net.rpc.balance(key)
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(key)
    assert buffers(net, key) == []
    return wallet, proxy


def without_waste(net: Localnet, tmp_path: Path, wallet: Wallet) -> bool:
    """No transaction was carried out twice."""
    return len(net.history(wallet.key.pubkey())) == least(file(tmp_path).stat().st_size)


def test_requests_are_dropped(net: Localnet, tmp_path: Path) -> None:
    deployed(net, tmp_path, drops(0.3, random.Random(SEED)))


@pytest.mark.parametrize("retry_after", [None, "1"])
def test_node_that_limits_the_rate(net: Localnet, tmp_path: Path, retry_after: str | None) -> None:
    wallet, _ = deployed(net, tmp_path, limits(20, retry_after))
    assert without_waste(net, tmp_path, wallet)


def test_answers_are_cut_in_half(net: Localnet, tmp_path: Path) -> None:
    deployed(net, tmp_path, cut_in_half(0.2, random.Random(SEED)))


def test_statuses_come_late_vanish_and_repeat(net: Localnet, tmp_path: Path) -> None:
    wallet, _ = deployed(net, tmp_path, moody_statuses())
    assert without_waste(net, tmp_path, wallet)


@pytest.mark.nightly
def test_node_that_is_behind(net: Localnet, tmp_path: Path) -> None:
    """All that it tells is 100 slots old, and there is no other."""
    wallet, _ = deployed(net, tmp_path, behind(100))
    assert without_waste(net, tmp_path, wallet)


def refuses_to_send(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
    """Its simulation knows version 1, what it sends through does not."""
    return legacy_only(method, params, ask) if method == "sendTransaction" else None


@pytest.mark.parametrize("rule", [legacy_only, refuses_to_send])
def test_node_without_transactions_of_version_1(net: Localnet, tmp_path: Path, rule: Rule) -> None:
    wallet, _ = deployed(net, tmp_path, rule)
    key = wallet.key.pubkey()
    other = Keypair().pubkey()
    chunk = legacy_chunk(key, other, other)
    assert chunk == 1_012
    size = file(tmp_path).stat().st_size
    assert len(net.history(key)) == 1 + -(-size // chunk) + 1


def test_forgotten_transactions_are_signed_anew_once_expired(net: Localnet, tmp_path: Path) -> None:
    wallet, proxy = deployed(net, tmp_path, swallows(4))
    assert without_waste(net, tmp_path, wallet)
    assert proxy.calls.count("sendTransaction") > least(file(tmp_path).stat().st_size)
