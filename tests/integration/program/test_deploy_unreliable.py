"""A deploy through a node that drops, limits, forgets and cuts off."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer
from tests.integration.program.support import (
    SLOT_MS,
    SOL,
    Localnet,
    Wallet,
    buffers,
    least,
    locked,
    run,
    variant,
)
from tests.integration.program.unreliable import (
    Proxy,
    Rule,
    cut_in_half,
    drops,
    legacy_only,
    limits,
    swallows,
)
from tests.testbed.context import FakeContext

from cbctl.clients.solana.buffer import legacy_chunk
from cbctl.clients.solana.sender import Order, Sender
from cbctl.engine.step import Changes
from cbctl.errors import CbctlError
from cbctl.steps.program import deploy

SEED = 20261122


def deployed(net: Localnet, tmp_path: Path, rule: Rule, tail: int = 40_000) -> tuple[Wallet, Any]:
    wallet = Wallet.make(tmp_path / "keys")
    key = wallet.key.pubkey()
    net.fund(key, 10 * SOL)
    path = variant(tmp_path, tail, 5)
    with Proxy(net.url, rule) as proxy:
        ran = run(deploy.STEP, wallet.inputs(net, path, rpc=proxy.url))
    assert isinstance(ran.verdict, Changes)
    spent = 10 * SOL - net.rpc.balance(key)
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(key)
    assert buffers(net, key) == []
    return wallet, proxy


def test_requests_are_dropped(net: Localnet, tmp_path: Path) -> None:
    deployed(net, tmp_path, drops(0.3, random.Random(SEED)))


@pytest.mark.parametrize("retry_after", [None, "1"])
def test_node_that_limits_the_rate(net: Localnet, tmp_path: Path, retry_after: str | None) -> None:
    wallet, _ = deployed(net, tmp_path, limits(15, retry_after), tail=9_000)
    path = variant(tmp_path, 9_000, 5)
    assert len(net.history(wallet.key.pubkey())) == least(path.stat().st_size)


def test_answers_are_cut_in_half(net: Localnet, tmp_path: Path) -> None:
    deployed(net, tmp_path, cut_in_half(0.3, random.Random(SEED)))


def test_node_without_transactions_of_version_1(net: Localnet, tmp_path: Path) -> None:
    wallet, _ = deployed(net, tmp_path, legacy_only)
    key = wallet.key.pubkey()
    size = variant(tmp_path, 40_000, 5).stat().st_size
    chunk = legacy_chunk(key, wallet.program.pubkey(), wallet.program.pubkey())
    assert chunk == 1_012
    assert len(net.history(key)) == 1 + -(-size // 1_012) + 1


@pytest.mark.timeout(120)
def test_forgotten_transactions_are_signed_anew_once_expired(net: Localnet, tmp_path: Path) -> None:
    assert SLOT_MS <= 50  # 150 blocks in 8 s
    wallet, proxy = deployed(net, tmp_path, swallows(4))
    path = variant(tmp_path, 40_000, 5)
    assert len(net.history(wallet.key.pubkey())) == least(path.stat().st_size)
    assert proxy.calls.count("sendTransaction") > least(path.stat().st_size)


def test_money_runs_out_and_comes_back(net: Localnet, tmp_path: Path) -> None:
    """Somebody empties the wallet in the middle: the buffer stays and the next run goes on."""
    wallet = Wallet.make(tmp_path / "keys")
    net.fund(wallet.key.pubkey(), 10 * SOL)
    path = variant(tmp_path, 40_000, 6)
    done = False

    def rule(method: str, params: list[Any], ask: Any) -> Any:
        nonlocal done
        if method == "sendTransaction" and len(params[0]) > 1_700 and not done:
            done = True  # the first write, which goes alone
            _empty(net, wallet)

    with Proxy(net.url, rule) as proxy, pytest.raises(CbctlError) as caught:
        run(deploy.STEP, wallet.inputs(net, path, rpc=proxy.url))
    assert "Insufficient" in str(caught.value)
    assert len(buffers(net, wallet.key.pubkey())) == 1
    net.fund(wallet.key.pubkey(), SOL)
    run(deploy.STEP, wallet.inputs(net, path))
    assert buffers(net, wallet.key.pubkey()) == []


def _empty(net: Localnet, wallet: Wallet) -> None:
    key = wallet.key.pubkey()
    left = net.rpc.balance(key) - net.rpc.rent(0) - 20_000  # four fees, this one's included
    take = transfer(TransferParams(from_pubkey=key, to_pubkey=Keypair().pubkey(), lamports=left))
    Sender(net.rpc, wallet.key, FakeContext()).one(Order("empty the wallet", (take,)))
