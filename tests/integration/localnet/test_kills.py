"""Killed at any moment, also in the middle of a save: whatever was answered is there."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.small_localnet import HISTORY_BYTES
from tests.integration.localnet.support import SOL, Localnet, free_port

SMALL = (str(Path(__file__).with_name("small_localnet.py")),)
SEEDS = [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, 60))]
SHOWN = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}

Small = Callable[[], Localnet]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """Starts one on the same state each time."""
    running: list[Localnet] = []

    def start() -> Localnet:
        net = Localnet(tmp_path / "state", free_port(neighbours=1), 50, program=SMALL)
        running.append(net)
        return net

    yield start
    for net in running:
        if net.process.returncode is None:
            net.stop(signal.SIGKILL)


def _payments(net: Localnet, payer: Keypair, receivers: list[Pubkey]) -> list[VersionedTransaction]:
    blockhash = net.blockhash()

    def pay(to: Pubkey) -> VersionedTransaction:
        step = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
        return VersionedTransaction(
            Message.new_with_blockhash([step], payer.pubkey(), blockhash), [payer]
        )

    return [pay(to) for to in receivers]


def _balances(net: Localnet, addresses: list[Pubkey]) -> list[int]:
    found: list[int] = []
    for first in range(0, len(addresses), 100):
        keys = [str(key) for key in addresses[first : first + 100]]
        values = net.call("getMultipleAccounts", keys, {"commitment": "processed"})["value"]
        found += [value["lamports"] if value else 0 for value in values]
    return found


class Sender:
    """Sends until the process is gone; `answered` has every receiver whose payment was answered."""

    def __init__(self, net: Localnet, payer: Keypair) -> None:
        self.answered: dict[str, Pubkey] = {}
        self._net, self._payer = net, payer
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        try:
            while True:
                receivers = [Pubkey.new_unique() for _ in range(random.choice([1, 1, 30]))]
                payments = _payments(self._net, self._payer, receivers)
                self.answered.update(zip(self._net.send_many(payments), receivers, strict=True))
        except (httpx.TransportError, RuntimeError):  # killed; httpx's client is closed then
            pass

    def ended(self) -> dict[str, Pubkey]:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.answered


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_answered_is_lost(small: Small, seed: int) -> None:
    chance = random.Random(seed)
    net = small()
    payer, genesis = net.funded(100_000), net.call("getGenesisHash")
    known: dict[str, Pubkey] = {}
    for _ in range(3):
        sender = Sender(net, payer)
        threading.Event().wait(chance.uniform(0.1, 0.8))
        seen = net.call("getSlot", {"commitment": "processed"})
        net.process.kill()
        known |= sender.ended()
        net.stop(signal.SIGKILL)

        net = small()
        assert net.call("getGenesisHash") == genesis
        assert net.call("getSlot", {"commitment": "processed"}) > seen
        net.said("was killed; nothing is lost")
        assert _balances(net, list(known.values())) == [SOL] * len(known)
        # The newest are in the history too; what is older may have been dropped.
        for signature in list(known)[-50:]:
            status = net.call(
                "getSignatureStatuses", [signature], {"searchTransactionHistory": True}
            )["value"][0]
            assert status is not None and status["err"] is None
    net.confirm(net.pay(payer, Pubkey.new_unique(), SOL))
    assert len(known) > 20


def test_old_history_goes_and_new_history_stays(small: Small) -> None:
    net = small()
    payer = net.funded(10_000)
    receivers = [Pubkey.new_unique() for _ in range(3_000)]
    sent: list[str] = []
    for first in range(0, len(receivers), 500):
        sent += net.send_many(_payments(net, payer, receivers[first : first + 500]))
        net.confirm(sent[-1])
    for again in (False, True):
        if again:
            assert net.stop() == 0
            net = small()
            net.next_slot()
        files = [f.stat().st_size for f in (net.state / "ledger").iterdir()]
        assert sum(files) < HISTORY_BYTES + 200_000  # and what is being written
        assert net.call("getTransaction", sent[0], SHOWN) is None
        assert net.call("getSignaturesForAddress", str(receivers[0]), SHOWN) == []
        for signature, to in list(zip(sent, receivers, strict=True))[-500::50]:
            found = net.call("getTransaction", signature, SHOWN)
            assert found["transaction"]["signatures"] == [signature]
            listed = net.call("getSignaturesForAddress", str(to), {"commitment": "confirmed"})
            assert [item["signature"] for item in listed] == [signature]
        # a long list ends where history does
        before, pages = None, 0
        while page := net.call(
            "getSignaturesForAddress",
            str(payer.pubkey()),
            {"commitment": "confirmed", "before": before, "limit": 400},
        ):
            before, pages = page[-1]["signature"], pages + 1
        assert 1 <= pages < 7
        assert [net.balance(to) for to in receivers[::100]] == [SOL] * 30
        assert net.call("getTransactionCount", {"commitment": "processed"}) == 3_001
