"""The history of an address, page by page, and what was paid for its transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from tests.integration.localnet.loader import MEMO
from tests.integration.localnet.support import SOL, Localnet, RpcFailure

CONFIRMED = {"commitment": "confirmed"}


@dataclass(frozen=True)
class History:
    """Seven payments to an address, oldest first, all confirmed; the fourth one failed."""

    net: Localnet
    payer: Keypair
    to: Pubkey
    signatures: list[str]

    def page(self, **config: object) -> list[str]:
        listed = self.net.call("getSignaturesForAddress", str(self.to), CONFIRMED | config)
        return [item["signature"] for item in listed]


@pytest.fixture(scope="module")
def history(net: Localnet) -> History:
    payer, to = net.funded(), Pubkey.new_unique()
    signatures = []
    for number in range(7):
        lamports = 10**6 * SOL if number == 3 else SOL + number
        pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
        signatures.append(net.run([pay], payer, skipPreflight=True))
        if number % 2:
            net.next_slot()
    net.confirm(signatures[-1])
    return History(net, payer, to, signatures)


def test_the_newest_come_first(history: History) -> None:
    newest_first = history.signatures[::-1]
    assert history.page() == newest_first
    assert history.page(limit=2) == newest_first[:2]
    listed = history.net.call("getSignaturesForAddress", str(history.to), CONFIRMED)
    assert [item["slot"] for item in listed] == sorted(
        (item["slot"] for item in listed), reverse=True
    )
    errors = [item["err"] for item in listed]
    assert errors == [None] * 3 + [{"InstructionError": [0, {"Custom": 1}]}] + [None] * 3
    for item in listed:
        assert set(item) == {
            *("signature", "slot", "err", "memo", "blockTime", "confirmationStatus"),
            "transactionIndex",
        }
        assert item["confirmationStatus"] in ("confirmed", "finalized")


def test_pages_follow_one_another(history: History) -> None:
    newest_first = history.signatures[::-1]
    pages: list[str] = []
    while page := history.page(limit=2, **({"before": pages[-1]} if pages else {})):
        pages += page
    assert pages == newest_first
    assert history.page(until=newest_first[4]) == newest_first[:4]
    between = history.page(before=newest_first[1], until=newest_first[5])
    assert between == newest_first[2:5]
    assert history.page(before=newest_first[5], until=newest_first[1]) == []
    assert history.page(before=newest_first[-1]) == []


def test_a_bound_need_not_be_of_the_address(history: History) -> None:
    net = history.net
    other = net.pay(history.payer, Pubkey.new_unique(), SOL)
    net.confirm(other)
    assert history.page(before=other) == history.signatures[::-1]
    assert history.page(until=other) == []


def test_a_bound_that_is_unknown_is_an_error(history: History) -> None:
    nobody = str(Signature.new_unique())
    for name in ("before", "until"):
        with pytest.raises(RpcFailure, match=f"Transaction {nobody} not found") as failure:
            history.page(**{name: nobody})
        assert failure.value.code == -32020
    with pytest.raises(RpcFailure) as failure:
        history.page(minContextSlot=history.net.slot() + 10**6)
    assert failure.value.code == -32016


def test_an_address_without_history_has_an_empty_one(net: Localnet) -> None:
    assert net.call("getSignaturesForAddress", str(Pubkey.new_unique())) == []


def test_memos_are_listed(net: Localnet) -> None:
    payer = net.funded()
    memos = [Instruction(MEMO, text.encode(), []) for text in ("one", "zwei für dich")]
    signature = net.run(memos, payer)
    net.confirm(signature)
    about = CONFIRMED | {"limit": 1}
    (listed,) = net.call("getSignaturesForAddress", str(payer.pubkey()), about)
    assert listed["signature"] == signature
    assert listed["memo"] == "[3] one; [14] zwei für dich"


def test_many_statuses_at_once(history: History) -> None:
    net, unknown = history.net, str(Signature.new_unique())
    answer = net.call("getSignatureStatuses", [*history.signatures, unknown])
    assert answer["value"][-1] is None
    for number, status in enumerate(answer["value"][:-1]):
        failed = {"InstructionError": [0, {"Custom": 1}]} if number == 3 else None
        assert status["err"] == failed
        assert status["status"] == ({"Ok": None} if failed is None else {"Err": failed})
        assert status["confirmationStatus"] in ("confirmed", "finalized")
        final = status["confirmationStatus"] == "finalized"
        assert (status["confirmations"] is None) is final
        assert final or 1 <= status["confirmations"] <= 31
    assert net.call("getSignatureStatuses", [])["value"] == []


def _fees(net: Localnet, *keys: Pubkey) -> dict[int, int]:
    listed: Any = net.call("getRecentPrioritizationFees", [str(key) for key in keys])
    return {item["slot"]: item["prioritizationFee"] for item in listed}


def test_prices_are_those_that_landed_transactions_paid(net: Localnet) -> None:
    payer, cheap, dear = net.funded(), Pubkey.new_unique(), Pubkey.new_unique()

    def pay(to: Pubkey, price: int) -> tuple[str, int]:
        signature = net.run(
            [
                set_compute_unit_limit(1_000),
                set_compute_unit_price(price),
                transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL)),
            ],
            payer,
        )
        return signature, net.status(signature)["slot"]

    first, slot = pay(dear, 9_000_000)
    second, later = pay(cheap, 3_000_000)
    net.confirm(second)
    fee = net.call("getTransaction", first, CONFIRMED)["meta"]["fee"]
    assert fee == 5_000 + 9_000
    for shown in (_fees(net), _fees(net, Pubkey.new_unique())):
        assert shown[slot] == (3_000_000 if slot == later else 9_000_000)
        assert shown[later] == 3_000_000
    assert _fees(net, dear)[slot] == 9_000_000
    assert _fees(net, cheap)[later] == 3_000_000
    # A transaction that offers nothing takes its slot's price down to nothing.
    free = net.pay(payer, cheap, SOL)
    slot = net.confirm(free)["slot"]
    assert _fees(net)[slot] == 0
    with pytest.raises(RpcFailure, match="max 128"):
        _fees(net, *[payer.pubkey()] * 129)
