"""How many transactions the minutes of the chain had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solders.pubkey import Pubkey
from tests.unit.localnet.rpc.calls import SOL, call
from tests.unit.localnet.support import SLOT_SECONDS, Time

from cbctl.localnet.bank import Bank
from cbctl.localnet.slots import FIRST_SLOT

MINUTE = int(60 / SLOT_SECONDS)


def _sample(minute: int, transactions: int) -> dict[str, Any]:
    return {
        "slot": FIRST_SLOT + minute * MINUTE,
        "numTransactions": transactions,
        "numNonVoteTransactions": transactions,
        "numSlots": MINUTE,
        "samplePeriodSecs": 60,
    }


def test_whole_minutes_newest_first(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    assert call(bank, "getRecentPerformanceSamples") == []
    for slots, airdrops in ((MINUTE, 2), (MINUTE, 0), (MINUTE, 1), (10, 5)):
        time.slots(slots // 2)
        for _ in range(airdrops):
            bank.airdrop(Pubkey.new_unique(), SOL)
        time.slots(slots - slots // 2)
    time.slots(1)
    bank.chain.ledger.sync()
    expected = [_sample(3, 1), _sample(2, 0), _sample(1, 2)]
    assert call(bank, "getRecentPerformanceSamples") == expected
    assert call(bank, "getRecentPerformanceSamples", 2) == expected[:2]
    assert call(bank, "getRecentPerformanceSamples", 0) == []
