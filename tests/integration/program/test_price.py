"""What a deploy costs when compute units have a price: told to the lamport beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.program.support import (
    IDL,
    SMALL_ELF,
    SOL,
    Localnet,
    Wallet,
    locked,
    run,
    variant,
)
from tests.testbed.context import FakeContext
from tests.testbed.unreliable import Answer, Proxy, Rule, legacy_only

from cbctl.engine.step import Blocked
from cbctl.steps.program import deploy

PRICE = 12_345_677  # millionths of a lamport; no multiple of anything


def through(method: str, params: list[Any], ask: Any) -> Answer | None:
    return None


@pytest.fixture
def wallet(net: Localnet, tmp_path: Path) -> Wallet:
    made = Wallet.make(tmp_path / "keys")
    net.fund(made.key.pubkey(), 10 * SOL)
    return made


def costs(net: Localnet, wallet: Wallet, elf: Path, rule: Rule, **more: Any) -> None:
    """Deploys, and compares each lamport with what was told."""
    key, program = wallet.key.pubkey(), wallet.program.pubkey()
    with Proxy(net.url, rule) as proxy:
        inputs = wallet.inputs(net, elf, rpc=proxy.url, **more)
        told = deploy.STEP.observe(FakeContext(), inputs).evidence
        before = net.rpc.balance(key)
        fees, kept, sent = net.fees(key), locked(net, program), len(net.history(key))
        run(deploy.STEP, inputs)
    assert len(net.history(key)) - sent == told["transactions"]
    assert net.fees(key) - fees == told["fees"]
    assert locked(net, program) - kept == told["locked"]
    assert before - net.rpc.balance(key) == told["fees"] + told["locked"]


@pytest.mark.parametrize("rule", [through, legacy_only])
def test_cost_with_a_price(net: Localnet, wallet: Wallet, tmp_path: Path, rule: Rule) -> None:
    costs(net, wallet, variant(tmp_path, 3_000, 1, SMALL_ELF), rule, price=PRICE)
    # and an upgrade that needs more room
    costs(net, wallet, variant(tmp_path, 9_000, 2, SMALL_ELF), rule, price=PRICE)


def test_price_that_others_pay_is_paid_up_to_the_ceiling(
    net: Localnet, wallet: Wallet, tmp_path: Path
) -> None:
    asked = []

    def dear(method: str, params: list[Any], ask: Any) -> Answer | None:
        if method != "getRecentPrioritizationFees":
            return None
        asked.append(params[0])
        body = b'{"jsonrpc":"2.0","id":1,"result":[{"slot":1,"prioritizationFee":%d}]}' % PRICE
        return Answer(body=body)

    first = variant(tmp_path, 3_000, 1, SMALL_ELF)
    costs(net, wallet, first, dear, price_ceiling=PRICE * 2)
    assert str(wallet.program.pubkey()) in asked[0]
    key = wallet.key.pubkey()
    (last, *_) = reversed(net.history(key))
    assert last["meta"]["fee"] == 10_000 + -(-PRICE * 5_300 // 1_000_000)
    with Proxy(net.url, dear) as proxy:
        inputs = wallet.inputs(net, variant(tmp_path, 3_000, 2, SMALL_ELF), rpc=proxy.url)
        told = deploy.STEP.observe(FakeContext(), inputs).evidence
    assert told["price"] == deploy.Inputs.price_ceiling == 1_000_000


def test_upgrade_that_the_running_api_cannot_read(
    net: Localnet, wallet: Wallet, tmp_path: Path
) -> None:
    text = IDL.read_text()
    known, new = tmp_path / "known.json", tmp_path / "new.json"
    known.write_text(text)
    new.write_text(text.replace('"treasury"', '"vault"'))
    assert new.read_text() != text
    more = {"api_idl": known, "idl": IDL}
    run(deploy.STEP, wallet.inputs(net, variant(tmp_path, 1, 1, SMALL_ELF), idl=new))
    assert not isinstance(
        run(deploy.STEP, wallet.inputs(net, variant(tmp_path, 2, 1, SMALL_ELF), **more)).verdict,
        Blocked,
    )
    more["idl"] = new
    verdict = run(
        deploy.STEP, wallet.inputs(net, variant(tmp_path, 3, 1, SMALL_ELF), **more)
    ).verdict
    assert isinstance(verdict, Blocked)
    assert "the running API cannot read the program after this upgrade" in verdict.why
    assert "where the field treasury was, there is vault" in verdict.why
