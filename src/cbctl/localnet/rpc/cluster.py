"""Methods about the chain as a whole: its slots, hashes, fees and versions."""

from __future__ import annotations

from cbctl.localnet.bank import Bank
from cbctl.localnet.blockhash import MAX_AGE
from cbctl.localnet.encoding import b64decode
from cbctl.localnet.errors import INVALID_REQUEST, NO_SNAPSHOT, RpcError, invalid_params
from cbctl.localnet.rpc.context import API_VERSION, asked_slot, with_context
from cbctl.localnet.rpc.params import U64, ContextConfig, Params, to_hash, to_pubkey, too_many
from cbctl.localnet.slots import SLOTS_PER_EPOCH, epoch_of
from cbctl.localnet.transactions import budget_of, parse_message

# The number of no release, because the VM takes mainnet's active features one by one.
FEATURE_SET = 0

_MAX_DATA_BYTES = 10 * 1024 * 1024
_MAX_FEE_ACCOUNTS = 128
_MAX_SAMPLES = 720
_SAMPLE_SECONDS = 60


def get_health(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    return "ok"


def get_version(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    return {"solana-core": API_VERSION, "feature-set": FEATURE_SET}


def get_genesis_hash(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    return str(bank.genesis_hash)


def get_slot(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    return asked_slot(bank, params, 0)


def get_block_height(bank: Bank, params: Params) -> object:
    """No slot is skipped here, so height and slot are one number."""
    params.expect(0, 1)
    return asked_slot(bank, params, 0)


def get_newest_slot(bank: Bank, params: Params) -> object:
    """Of shreds inserted or sent on: one node has seen what it has made."""
    params.expect(0, 0)
    return bank.slot


def get_first_block(bank: Bank, params: Params) -> object:
    """Of the ledger; what is older was dropped from it."""
    params.expect(0, 0)
    return bank.first_block


def get_highest_snapshot_slot(bank: Bank, params: Params) -> object:
    """Snapshots of validators are for those who join a cluster, which nobody does here."""
    params.expect(0, 0)
    raise RpcError(NO_SNAPSHOT, "No snapshot")


def get_transaction_count(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    return bank.history.count_until(asked_slot(bank, params, 0))


def get_epoch_info(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    slot = asked_slot(bank, params, 0)
    epoch, index = epoch_of(slot)
    return {
        "absoluteSlot": slot,
        "blockHeight": slot,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": bank.history.count_until(slot),
    }


def get_latest_blockhash(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    slot = asked_slot(bank, params, 0)
    return with_context(slot, blockhash_at(bank, slot))


def blockhash_at(bank: Bank, slot: int) -> dict[str, object]:
    """The blockhash of a slot and how long it lives."""
    return {"blockhash": str(bank.hashes.at(slot)), "lastValidBlockHeight": slot + MAX_AGE}


def is_blockhash_valid(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    blockhash = to_hash(params.required(0, str))
    slot = asked_slot(bank, params, 1)
    return with_context(slot, bank.hashes.is_valid(str(blockhash), slot))


def get_minimum_balance_for_rent_exemption(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    length: int = params.required(0, U64)
    if length > _MAX_DATA_BYTES:
        raise RpcError(INVALID_REQUEST, "Invalid request")
    params.config(1, ContextConfig)
    return bank.vm.rent_exempt_minimum(length)


def get_fee_for_message(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    text = params.required(0, str)
    slot = asked_slot(bank, params, 1)
    try:
        message = parse_message(b64decode(text))
    except ValueError as error:
        raise invalid_params(f"failed to deserialize message: {error}") from None
    return with_context(slot, budget_of(message).fee if bank.may_land(message, slot) else None)


def get_recent_prioritization_fees(bank: Bank, params: Params) -> object:
    """What was paid in confirmed slots; a slot without a transaction is not among them."""
    params.expect(0, 1)
    texts = params.optional(0, list[str]) or []
    if len(texts) > _MAX_FEE_ACCOUNTS:
        raise too_many(_MAX_FEE_ACCOUNTS)
    keys = [to_pubkey(text) for text in texts]
    return [
        {"slot": slot, "prioritizationFee": price}
        for slot, price in bank.fees.until(bank.slot_at("confirmed"), keys)
    ]


def get_recent_performance_samples(bank: Bank, params: Params) -> object:
    """Whole minutes of slots, newest first, counted from the first slot of the chain."""
    params.expect(0, 1)
    limit: int | None = params.optional(0, U64)
    if limit is not None and limit > _MAX_SAMPLES:
        raise invalid_params(f"Invalid limit; max {_MAX_SAMPLES}")
    first, count = bank.genesis.first_slot, _SAMPLE_SECONDS * 1000 // bank.clock.slot_ms
    newest = (bank.slot_at("confirmed") - first) // count
    samples = []
    for minute in range(newest, max(0, newest - (_MAX_SAMPLES if limit is None else limit)), -1):
        end = first + minute * count
        landed = bank.history.count_until(end) - bank.history.count_until(end - count)
        samples.append(
            {
                "slot": end,
                "numTransactions": landed,
                "numNonVoteTransactions": landed,
                "numSlots": count,
                "samplePeriodSecs": _SAMPLE_SECONDS,
            }
        )
    return samples
