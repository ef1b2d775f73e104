"""Methods about what landed: statuses, transactions, blocks. Limits: agave, rpc/src/rpc.rs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank
from cbctl.localnet.commitment import FINALIZED_AFTER
from cbctl.localnet.errors import (
    BLOCK_NOT_AVAILABLE,
    FILTER_TRANSACTION_NOT_FOUND,
    RpcError,
    invalid_params,
)
from cbctl.localnet.history import Landed
from cbctl.localnet.parsed.instructions import MEMO_PROGRAMS, memo_of
from cbctl.localnet.rpc.context import with_context
from cbctl.localnet.rpc.landed import accounts_with_meta, status_of, transaction_with_meta
from cbctl.localnet.rpc.params import (
    U64,
    Commitment,
    ContextConfig,
    Params,
    TransactionEncoding,
    at_least_confirmed,
    check_context,
    convert,
    to_signature,
    too_many,
)
from cbctl.localnet.rpc.validators import cleaned_up

MAX_STATUSES = 256
MAX_SIGNATURES = 1_000
MAX_BLOCK_RANGE = 500_000
# Statuses of so many finalized slots are there without a search.
_RECENT_SLOTS = 300
_NO_PARENT = "1" * 32

Version = Annotated[int, Meta(ge=0, le=255)]
_MEMO_PROGRAMS = frozenset(map(Pubkey.from_string, MEMO_PROGRAMS))


class StatusConfig(Struct, rename="camel"):
    """Whether to look beyond the recent ones."""

    search_transaction_history: bool = False


class TransactionConfig(Struct, rename="camel"):
    """How a transaction is to be returned."""

    encoding: TransactionEncoding | None = None
    commitment: Commitment | None = None
    max_supported_transaction_version: Version | None = None


class BlockConfig(Struct, rename="camel", frozen=True):
    """How a block is to be returned."""

    encoding: TransactionEncoding | None = None
    transaction_details: Literal["full", "accounts", "signatures", "none"] | None = None
    rewards: bool | None = None
    commitment: Commitment | None = None
    max_supported_transaction_version: Version | None = None


class SignaturesConfig(Struct, rename="camel"):
    """Which part of an address's history to return."""

    limit: U64 | None = None
    before: str | None = None
    until: str | None = None
    commitment: Commitment | None = None
    min_context_slot: U64 | None = None


def get_signature_statuses(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    texts = params.required(0, list[str])
    if len(texts) > MAX_STATUSES:
        raise too_many(MAX_STATUSES)
    signatures = [to_signature(text) for text in texts]
    oldest = bank.slot_at("finalized") - _RECENT_SLOTS
    if params.config(1, StatusConfig).search_transaction_history:
        oldest = bank.genesis.first_slot
    return with_context(bank.slot, [_status(bank, item, oldest) for item in signatures])


def _status(bank: Bank, signature: str, oldest: int) -> object:
    landed = bank.history.get(signature)
    if landed is None or landed.slot < oldest:
        return None
    commitment = bank.commitment(landed)
    error = landed.outcome.error
    # A transaction that waits for the disk has no confirmation yet, however old it is.
    age = 0 if commitment == "processed" else min(bank.slot - landed.slot, FINALIZED_AFTER)
    return {
        "slot": landed.slot,
        "confirmations": None if commitment == "finalized" else age,
        "err": error,
        "status": status_of(error),
        "confirmationStatus": commitment,
    }


def get_transaction(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    signature = to_signature(params.required(0, str))
    config = params.encoding_or_config(1, TransactionConfig)
    newest = bank.slot_at(at_least_confirmed(config.commitment))
    landed = bank.history.get(signature)
    if landed is None or landed.slot > newest:
        return None
    return {
        "slot": landed.slot,
        "blockTime": landed.unix_time,
        "transactionIndex": bank.history.index_in_slot(landed),
        **transaction_with_meta(
            landed, config.encoding or "json", config.max_supported_transaction_version
        ),
    }


def get_signatures_for_address(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    address = params.pubkey(0)
    config = params.config(1, SignaturesConfig)
    limit = MAX_SIGNATURES if config.limit is None else config.limit
    if not 1 <= limit <= MAX_SIGNATURES:
        raise invalid_params(f"Invalid limit; max {MAX_SIGNATURES}")
    newest = bank.slot_at(at_least_confirmed(config.commitment))
    check_context(newest, config.min_context_slot)
    before = _bound(bank, config.before, newest)
    until = _bound(bank, config.until, newest)
    found: list[object] = []
    below = None if before is None else before.number
    above = -1 if until is None else until.number
    for landed in bank.history.of_address(address, below, above):
        if landed.slot <= newest:
            found.append(_listed(bank, landed))
            if len(found) == limit:
                break
    return found


def _listed(bank: Bank, landed: Landed) -> dict[str, object]:
    return {
        "signature": landed.signature,
        "slot": landed.slot,
        "err": landed.outcome.error,
        "memo": _memo(landed),
        "blockTime": landed.unix_time,
        "confirmationStatus": bank.commitment(landed),
        "transactionIndex": bank.history.index_in_slot(landed),
    }


def _memo(landed: Landed) -> str | None:
    keys = landed.outcome.keys
    if _MEMO_PROGRAMS.isdisjoint(keys):
        return None
    message = VersionedTransaction.from_bytes(landed.raw).message
    return memo_of(
        [(str(keys[call.program_id_index]), bytes(call.data)) for call in message.instructions]
    )


def _bound(bank: Bank, text: str | None, newest: int) -> Landed | None:
    if text is None:
        return None
    signature = to_signature(text)
    landed = bank.history.get(signature)
    if landed is None or landed.slot > newest:
        raise RpcError(FILTER_TRANSACTION_NOT_FOUND, f"Transaction {signature} not found")
    return landed


def _past_slot(bank: Bank, slot: int, newest: int) -> int:
    if slot > newest:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    if slot < bank.first_block:
        raise cleaned_up(slot, bank.first_block)
    return slot


def get_block_time(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    return bank.time_of(_past_slot(bank, params.required(0, U64), bank.slot))


def get_blocks(bank: Bank, params: Params) -> object:
    """The end may be left out, with the configuration in its place."""
    params.expect(1, 3)
    start: int = params.required(0, U64)
    second = params.optional(1, object)
    end: int | None = None
    if isinstance(second, dict):
        config = convert(second, ContextConfig)
    else:
        end, config = params.optional(1, U64), params.config(2, ContextConfig)
    newest = _newest_block(bank, config)
    last = min(newest, start + MAX_BLOCK_RANGE if end is None else end)
    if last - start > MAX_BLOCK_RANGE:
        raise invalid_params(f"Slot range too large; max {MAX_BLOCK_RANGE}")
    return list(range(max(start, bank.first_block), last + 1))


def get_blocks_with_limit(bank: Bank, params: Params) -> object:
    params.expect(2, 3)
    start: int = params.required(0, U64)
    limit: int = params.required(1, U64)
    newest = _newest_block(bank, params.config(2, ContextConfig))
    if limit > MAX_BLOCK_RANGE:
        raise invalid_params(f"Limit too large; max {MAX_BLOCK_RANGE}")
    first = max(start, bank.first_block)
    return list(range(first, min(newest, first + limit - 1) + 1))


def _newest_block(bank: Bank, config: ContextConfig) -> int:
    newest = bank.slot_at(at_least_confirmed(config.commitment))
    check_context(newest, config.min_context_slot)
    return newest


def get_block(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    slot: int = params.required(0, U64)
    config = params.encoding_or_config(1, BlockConfig)
    _past_slot(bank, slot, bank.slot_at(at_least_confirmed(config.commitment)))
    return block(bank, slot, bank.history.in_slot(slot), config)


def block(bank: Bank, slot: int, inside: list[Landed], config: BlockConfig) -> dict[str, object]:
    """A slot with the transactions that are to be shown of it."""
    first = slot == bank.genesis.first_slot
    shown: dict[str, object] = {
        "blockhash": str(bank.hashes.at(slot)),
        "previousBlockhash": _NO_PARENT if first else str(bank.hashes.at(slot - 1)),
        "parentSlot": slot - 1,
        "blockHeight": slot,
        "blockTime": bank.time_of(slot),
    }
    rewards = config.rewards is not False
    if rewards:
        shown["rewards"] = []
    version = config.max_supported_transaction_version
    details = config.transaction_details or "full"
    if details == "signatures":
        shown["signatures"] = [item.signature for item in inside]
    elif details == "accounts":
        shown["transactions"] = [accounts_with_meta(item, version, rewards) for item in inside]
    elif details == "full":
        encoding = config.encoding or "json"
        shown["transactions"] = [
            transaction_with_meta(item, encoding, version, rewards) for item in inside
        ]
    return shown
