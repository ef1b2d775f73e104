"""A deploy by several endpoints of one cluster, of which some are no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.program.support import (
    SMALL_ELF,
    SOL,
    Localnet,
    Wallet,
    buffers,
    least,
    run,
    variant,
)
from tests.testbed.unreliable import Proxy, Rule, behind, dies_after, of_another_cluster
from tests.testbed.waiting import free_port

from cbctl.engine.step import Changes
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import deploy


@pytest.fixture
def wallet(net: Localnet, tmp_path: Path) -> Wallet:
    made = Wallet.make(tmp_path / "keys")
    net.fund(made.key.pubkey(), 10 * SOL)
    return made


def deployed(net: Localnet, wallet: Wallet, path: Path, *urls: str) -> None:
    """Without a transaction more than by one endpoint that is well."""
    elf = variant(path, 16_000, 5, SMALL_ELF)
    assert isinstance(run(deploy.STEP, wallet.inputs(net, elf, rpc=urls)).verdict, Changes)
    key = wallet.key.pubkey()
    assert len(net.history(key)) == least(elf.stat().st_size)
    assert buffers(net, key) == []


def test_dead_one(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    deployed(net, wallet, tmp_path, f"http://127.0.0.1:{free_port()}", net.url)


@pytest.mark.parametrize("requests", [12, 25])
def test_one_that_dies(net: Localnet, wallet: Wallet, tmp_path: Path, requests: int) -> None:
    with Proxy(net.url, dies_after(requests)) as dying:
        deployed(net, wallet, tmp_path, dying.url, net.url)
        assert dying.calls.count("sendTransaction") < least(16_000)


def test_one_that_is_behind(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    with Proxy(net.url, behind(100)) as late:
        deployed(net, wallet, tmp_path, late.url, net.url)
        assert "sendTransaction" not in late.calls


def test_one_that_falls_behind(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    """It was asked first, and well, when the work began."""
    late = behind(100)
    calls = 0

    def later(method: str, params: list[Any], ask: Any) -> Any:
        nonlocal calls
        calls += 1
        return late(method, params, ask) if calls > 15 else None

    with Proxy(net.url, later) as proxy:
        deployed(net, wallet, tmp_path, proxy.url, net.url)


def refused(net: Localnet, wallet: Wallet, rule: Rule, first: bool) -> CbctlError:
    with Proxy(net.url, rule) as other:
        urls = (other.url, net.url) if first else (net.url, other.url)
        with pytest.raises(CbctlError) as caught:
            run(deploy.STEP, wallet.inputs(net, rpc=urls))
    return caught.value


@pytest.mark.parametrize("first", [True, False])
def test_one_of_another_cluster_is_refused(net: Localnet, wallet: Wallet, first: bool) -> None:
    error = refused(net, wallet, of_another_cluster, first)
    assert error.exit == Exit.REFUSED
    assert "another cluster" in error.what
    assert net.history(wallet.key.pubkey()) == []


def test_all_are_down(net: Localnet, wallet: Wallet) -> None:
    urls = tuple(f"http://127.0.0.1:{free_port()}/secret" for _ in range(2))
    with pytest.raises(CbctlError) as caught:
        run(deploy.STEP, wallet.inputs(net, rpc=urls, chain_step=""))
    assert "none of the RPC endpoints answers" in str(caught.value)
    assert all(url.split("/")[2] in str(caught.value) for url in urls)
    assert "secret" not in str(caught.value)
