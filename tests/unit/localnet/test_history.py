"""What is remembered of transactions: over a restart, out of the store, and when it was dropped."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token import instructions as spl
from spl.token import models
from tests.unit.localnet.rpc.calls import CONFIRMED, SOL, call, error, funded, signed
from tests.unit.localnet.support import Time

from cbctl.localnet import bank as banks
from cbctl.localnet import history as histories
from cbctl.localnet import ledger as ledgers
from cbctl.localnet.bank import Bank
from cbctl.localnet.history import Landed
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.tokens import NATIVE_MINT, TOKEN, TokenBalance

SPACE = 165
RENT = 2_039_280


def _wrap(bank: Bank, payer: Keypair) -> Landed:
    """Makes an account that holds one wrapped SOL."""
    purse = Keypair()
    create = CreateAccountParams(
        from_pubkey=payer.pubkey(),
        to_pubkey=purse.pubkey(),
        lamports=RENT + SOL,
        space=SPACE,
        owner=TOKEN,
    )
    initialize = models.InitializeAccountParams(
        program_id=TOKEN, account=purse.pubkey(), mint=NATIVE_MINT, owner=payer.pubkey()
    )
    steps = [create_account(create), spl.initialize_account(initialize)]
    landed = bank.submit(signed(bank, steps, payer, purse))
    assert isinstance(landed, Landed)
    return landed


def test_token_balances_are_kept(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    payer = funded(bank)
    landed = _wrap(bank, payer)
    outcome = landed.outcome
    assert (list(outcome.tokens_before), list(outcome.tokens_after)) == (
        [],
        [TokenBalance(1, NATIVE_MINT, payer.pubkey(), TOKEN, SOL, 9)],
    )
    assert outcome.loaded_bytes > 0
    time.slots(2)
    bank.tick()
    bank.chain.ledger.sync()
    shown = call(bank, "getTransaction", landed.signature, CONFIRMED)
    assert shown["meta"]["postTokenBalances"][0]["uiTokenAmount"]["amount"] == str(SOL)
    again = open_bank()
    assert call(again, "getTransaction", landed.signature, CONFIRMED) == shown
    again.save()
    assert call(again, "getTransaction", landed.signature, CONFIRMED) == shown


def test_records_of_before_token_balances_were_kept_are_read(
    open_bank: Callable[[], Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = histories.pack_details
    with monkeypatch.context() as before:
        before.setattr(
            banks,
            "pack_details",
            lambda outcome: msgspec.msgpack.encode(msgspec.msgpack.decode(written(outcome))[:7]),
        )
        bank = open_bank()
        landed = _wrap(bank, funded(bank))
    known = open_bank().history.get(landed.signature)
    assert known is not None
    expected = landed.outcome._replace(tokens_before=[], tokens_after=[], loaded_bytes=0)
    assert known.outcome == expected


def test_what_was_dropped_is_counted_and_no_longer_shown(
    open_bank: Callable[[], Bank], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "SEGMENT_BYTES", 2_000)
    monkeypatch.setattr(banks, "HISTORY_BYTES", 10_000)
    bank = open_bank()
    assert call(bank, "getFirstAvailableBlock") == FIRST_SLOT
    sent = []
    for _ in range(40):
        sent.append((bank.slot, bank.airdrop(Pubkey.new_unique(), SOL)))
        time.slots(1)
        bank.tick()
    assert call(bank, "getFirstAvailableBlock") == FIRST_SLOT
    bank.save()
    bank.save()
    first = call(bank, "getFirstAvailableBlock")
    assert FIRST_SLOT < first < bank.slot - 5
    assert call(bank, "minimumLedgerSlot") == first
    assert call(bank, "getBlocks", FIRST_SLOT, first, CONFIRMED) == [first]
    for method in ("getBlock", "getBlockTime"):
        params = (first - 1, CONFIRMED) if method == "getBlock" else (first - 1,)
        assert error(bank, method, *params) == (
            -32001,
            f"Block {first - 1} cleaned up, does not exist on node. First available block: {first}",
        )
    for slot, signature in sent:
        shown = call(bank, "getTransaction", signature, CONFIRMED)
        # Of the slot before, the newest may be left.
        assert (shown is not None) is (slot >= first - 1)
        if slot >= first:
            assert shown["transactionIndex"] == 0
            assert call(bank, "getBlock", slot, CONFIRMED)["blockHeight"] == slot
    assert call(bank, "getTransactionCount", CONFIRMED) == 40
    assert bank.history.count_until(first - 2) == bank.history.count_until(first - 1) - 1
