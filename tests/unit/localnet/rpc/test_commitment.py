"""Which slot each commitment sees, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable

from solders.pubkey import Pubkey
from tests.unit.localnet.rpc.calls import (
    CONFIRMED,
    FINALIZED,
    PROCESSED,
    SOL,
    call,
    error,
    funded,
    payment,
    send,
    signed,
    wire,
)
from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank
from cbctl.localnet.slots import FIRST_SLOT

Open = Callable[[], Bank]
LEVELS = (PROCESSED, CONFIRMED, FINALIZED)


def test_slot_height_epoch_and_count_have_the_delays_of_a_validator(
    open_bank: Open, time: Time
) -> None:
    bank = open_bank()
    time.slots(100)
    newest = FIRST_SLOT + 100
    expected = [newest, newest - 1, newest - 32]
    assert [call(bank, "getSlot", level) for level in LEVELS] == expected
    assert [call(bank, "getBlockHeight", level) for level in LEVELS] == expected
    infos = [call(bank, "getEpochInfo", level) for level in LEVELS]
    assert [info["absoluteSlot"] for info in infos] == expected
    for method in ("getSlot", "getBlockHeight"):
        assert call(bank, method) == newest - 32  # finalized, where nothing is said


def test_no_commitment_is_before_the_chain(open_bank: Open) -> None:
    bank = open_bank()
    assert [call(bank, "getSlot", level) for level in LEVELS] == [FIRST_SLOT] * 3


def test_transactions_are_counted_at_the_commitment(open_bank: Open, time: Time) -> None:
    bank = open_bank()
    for _ in range(3):
        bank.airdrop(Pubkey.new_unique(), SOL)
        time.slots(1)
        bank.tick()
    bank.chain.ledger.sync()
    assert [call(bank, "getTransactionCount", level) for level in LEVELS] == [3, 3, 1]
    bank.airdrop(Pubkey.new_unique(), SOL)
    assert [call(bank, "getTransactionCount", level) for level in LEVELS] == [4, 3, 1]
    time.slots(40)
    bank.chain.ledger.sync()
    assert [call(bank, "getTransactionCount", level) for level in LEVELS] == [4, 4, 4]


def test_a_blockhash_is_of_its_commitment_and_known_only_from_there(
    open_bank: Open, time: Time
) -> None:
    bank = open_bank()
    time.slots(100)
    latest = [call(bank, "getLatestBlockhash", level) for level in LEVELS]
    for answer, level in zip(latest, LEVELS, strict=True):
        slot = call(bank, "getSlot", level)
        assert answer["context"]["slot"] == slot
        assert answer["value"]["lastValidBlockHeight"] == slot + 150
    newest, confirmed, finalized = (answer["value"]["blockhash"] for answer in latest)

    def known(blockhash: str) -> list[bool]:
        return [call(bank, "isBlockhashValid", blockhash, level)["value"] for level in LEVELS]

    assert known(newest) == [True, False, False]
    assert known(confirmed) == [True, True, False]
    assert known(finalized) == [True, True, True]
    time.slots(119)  # the finalized one was 32 slots old: 151 in all
    assert known(finalized) == [False, True, True]


def test_a_minimum_slot_is_measured_at_the_commitment(open_bank: Open, time: Time) -> None:
    bank = open_bank()
    time.slots(100)
    newest = FIRST_SLOT + 100
    for method in ("getSlot", "getBlockHeight", "getLatestBlockhash", "getEpochInfo"):
        call(bank, method, {**PROCESSED, "minContextSlot": newest})
        code, message = error(bank, method, {**CONFIRMED, "minContextSlot": newest})
        assert (code, message) == (-32016, "Minimum context slot has not been reached")
    # Accounts are those of the newest slot at every commitment.
    for level in LEVELS:
        about = {**level, "minContextSlot": newest}
        answer = call(bank, "getBalance", str(bank.faucet), about)
        assert answer["context"]["slot"] == newest


def test_transactions_and_blocks_are_shown_from_confirmed_on(open_bank: Open, time: Time) -> None:
    bank, to = open_bank(), Pubkey.new_unique()
    time.slots(50)
    signature = bank.airdrop(to, SOL)
    slot = bank.slot
    bank.chain.ledger.sync()

    def seen(level: dict[str, str]) -> list[bool]:
        """As a transaction, in a list of signatures, as a block."""
        listed = call(bank, "getSignaturesForAddress", str(to), level)
        blocks = call(bank, "getBlocks", slot, slot, level)
        block = (
            signature
            in call(bank, "getBlock", slot, level | {"transactionDetails": "signatures"})[
                "signatures"
            ]
            if blocks
            else error(bank, "getBlock", slot, level)[0] == 0
        )
        found = call(bank, "getTransaction", signature, level)
        return [found is not None, [item["signature"] for item in listed] == [signature], block]

    def status() -> str:
        found = call(bank, "getSignatureStatuses", [signature])["value"][0]
        return str(found["confirmationStatus"])

    assert (status(), seen(CONFIRMED), seen(FINALIZED)) == ("processed", [False] * 3, [False] * 3)
    time.slots(1)
    assert (status(), seen(CONFIRMED), seen(FINALIZED)) == ("confirmed", [True] * 3, [False] * 3)
    time.slots(30)
    assert (status(), seen(CONFIRMED), seen(FINALIZED)) == ("confirmed", [True] * 3, [False] * 3)
    time.slots(1)
    assert (status(), seen(CONFIRMED), seen(FINALIZED)) == ("finalized", [True] * 3, [True] * 3)


def test_below_confirmed_is_refused_where_a_validator_refuses(open_bank: Open) -> None:
    bank = open_bank()
    signature = bank.airdrop(Pubkey.new_unique(), SOL)
    refusal = (-32602, "Method does not support commitment below `confirmed`")
    assert error(bank, "getTransaction", signature, PROCESSED) == refusal
    assert error(bank, "getBlock", FIRST_SLOT, PROCESSED) == refusal
    assert error(bank, "getBlocks", FIRST_SLOT, None, PROCESSED) == refusal
    assert error(bank, "getBlocks", FIRST_SLOT, PROCESSED) == refusal
    assert error(bank, "getBlocksWithLimit", FIRST_SLOT, 5, PROCESSED) == refusal
    assert error(bank, "getSignaturesForAddress", str(bank.faucet), PROCESSED) == refusal


def test_what_waits_for_the_disk_holds_the_commitments_back(open_bank: Open, time: Time) -> None:
    bank = open_bank()
    time.slots(100)
    bank.airdrop(Pubkey.new_unique(), SOL)
    held = bank.slot
    time.slots(50)
    assert [call(bank, "getSlot", level) for level in LEVELS] == [held + 50, held - 1, held - 1]
    bank.chain.ledger.sync()
    assert [call(bank, "getSlot", level) for level in LEVELS] == [held + 50, held + 49, held + 18]


def test_a_preflight_knows_no_blockhash_that_is_newer_than_its_commitment(
    open_bank: Open, time: Time
) -> None:
    bank = open_bank()
    payer, to = funded(bank), Pubkey.new_unique()
    time.slots(100)
    transaction = signed(bank, [payment(payer, to, SOL)], payer)  # with the newest blockhash
    options = {"encoding": "base64"}
    unknown = (-32002, "Transaction simulation failed: Blockhash not found")
    text = wire(transaction)
    assert error(bank, "sendTransaction", text, options) == unknown
    confirmed = options | {"preflightCommitment": "confirmed"}
    assert error(bank, "sendTransaction", text, confirmed) == unknown
    assert call(bank, "simulateTransaction", text, options)["value"]["err"] == "BlockhashNotFound"
    about = options | PROCESSED
    assert call(bank, "simulateTransaction", text, about)["value"]["err"] is None
    assert bank.vm.balance(to) == 0
    send(bank, transaction, skipPreflight=False, preflightCommitment="processed")
    assert bank.vm.balance(to) == SOL


def test_old_statuses_are_found_only_by_a_search(open_bank: Open, time: Time) -> None:
    bank = open_bank()
    signature = bank.airdrop(Pubkey.new_unique(), SOL)
    bank.chain.ledger.sync()

    def found(**config: bool) -> bool:
        about = [config] if config else []
        return call(bank, "getSignatureStatuses", [signature], *about)["value"][0] is not None

    time.slots(332)
    assert found()
    time.slots(1)
    assert not found()
    assert not found(searchTransactionHistory=False)
    assert found(searchTransactionHistory=True)
