"""Methods about the cluster, its slots and its fees."""

from __future__ import annotations

from solders.pubkey import Pubkey

from cbctl.localnet.bank import Bank
from cbctl.localnet.blockhash import MAX_AGE
from cbctl.localnet.encoding import b64decode
from cbctl.localnet.errors import invalid_params
from cbctl.localnet.rpc.params import (
    U64,
    ContextConfig,
    Params,
    check_context,
    to_hash,
    to_pubkey,
)
from cbctl.localnet.slots import SLOTS_PER_EPOCH, epoch_of
from cbctl.localnet.transactions import fee_of, parse_message

# LiteSVM 0.15 runs the code of Agave 4.1; the feature set number is that of no release, because
# the VM takes mainnet's active features one by one.
API_VERSION = "4.1.0"
FEATURE_SET = 0

_MAX_DATA_BYTES = 10 * 1024 * 1024
_MAX_FEE_ACCOUNTS = 128
_FEE_SLOTS = 150


def with_context(bank: Bank, value: object) -> dict[str, object]:
    """A value and the slot that it was read at."""
    return {"context": {"apiVersion": API_VERSION, "slot": bank.slot}, "value": value}


def _context(bank: Bank, params: Params, index: int) -> None:
    """Reads the configuration object at `index`; the newest slot serves every commitment."""
    check_context(bank.slot, params.config(index, ContextConfig).min_context_slot)


def get_health(bank: Bank, params: Params) -> object:
    params.at_most(0)
    return "ok"


def get_version(bank: Bank, params: Params) -> object:
    params.at_most(0)
    return {"solana-core": API_VERSION, "feature-set": FEATURE_SET}


def get_genesis_hash(bank: Bank, params: Params) -> object:
    params.at_most(0)
    return str(bank.genesis_hash)


def get_identity(bank: Bank, params: Params) -> object:
    """The faucet stands for the one node of this cluster."""
    params.at_most(0)
    return {"identity": str(bank.faucet)}


def get_slot(bank: Bank, params: Params) -> object:
    params.at_most(1)
    _context(bank, params, 0)
    return bank.slot


def get_block_height(bank: Bank, params: Params) -> object:
    """No slot is skipped here, so height and slot are one number."""
    params.at_most(1)
    _context(bank, params, 0)
    return bank.slot


def get_transaction_count(bank: Bank, params: Params) -> object:
    params.at_most(1)
    _context(bank, params, 0)
    return len(bank.history)


def get_epoch_info(bank: Bank, params: Params) -> object:
    params.at_most(1)
    _context(bank, params, 0)
    epoch, index = epoch_of(bank.slot)
    return {
        "absoluteSlot": bank.slot,
        "blockHeight": bank.slot,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": len(bank.history),
    }


def get_latest_blockhash(bank: Bank, params: Params) -> object:
    params.at_most(1)
    _context(bank, params, 0)
    return with_context(
        bank,
        {
            "blockhash": str(bank.hashes.at(bank.slot)),
            "lastValidBlockHeight": bank.slot + MAX_AGE,
        },
    )


def is_blockhash_valid(bank: Bank, params: Params) -> object:
    params.at_most(2)
    blockhash = to_hash(params.required(0, "blockhash", str))
    _context(bank, params, 1)
    return with_context(bank, bank.hashes.is_valid(str(blockhash)))


def get_minimum_balance_for_rent_exemption(bank: Bank, params: Params) -> object:
    params.at_most(2)
    length = params.required(0, "dataLength", U64)
    if length > _MAX_DATA_BYTES:
        raise invalid_params(f"no account is larger than {_MAX_DATA_BYTES} bytes")
    params.config(1, ContextConfig)
    return bank.vm.rent_exempt_minimum(length)


def get_fee_for_message(bank: Bank, params: Params) -> object:
    params.at_most(2)
    text = params.required(0, "message", str)
    _context(bank, params, 1)
    try:
        message = parse_message(b64decode(text))
    except ValueError as error:
        raise invalid_params(f"failed to deserialize message: {error}") from None
    return with_context(bank, fee_of(message) if bank.may_land(message) else None)


def get_recent_prioritization_fees(bank: Bank, params: Params) -> object:
    """Nobody competes for a slot here, so the fee that would have been enough is always 0."""
    params.at_most(1)
    keys: list[str] = params.optional(0, "addresses", list[str]) or []
    if len(keys) > _MAX_FEE_ACCOUNTS:
        raise invalid_params(f"Too many inputs provided; max {_MAX_FEE_ACCOUNTS}")
    addresses: list[Pubkey] = [to_pubkey(key) for key in keys]
    del addresses  # parsed to refuse what a validator refuses
    first = max(bank.genesis.first_slot, bank.slot - _FEE_SLOTS + 1)
    return [{"slot": s, "prioritizationFee": 0} for s in range(first, bank.slot + 1)]
