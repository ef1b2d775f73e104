"""Methods about what landed: statuses, transactions, blocks. Limits: agave, rpc/src/rpc.rs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from cbctl.localnet.bank import FINALIZED_AFTER, Bank
from cbctl.localnet.errors import BLOCK_NOT_AVAILABLE, RpcError, invalid_params
from cbctl.localnet.history import Landed
from cbctl.localnet.rpc.cluster import with_context
from cbctl.localnet.rpc.landed import status_of, transaction_with_meta
from cbctl.localnet.rpc.params import (
    U64,
    Commitment,
    ContextConfig,
    Params,
    TransactionEncoding,
    check_context,
    to_signature,
)

MAX_STATUSES = 256
MAX_SIGNATURES = 1_000
MAX_BLOCK_RANGE = 500_000

Version = Annotated[int, Meta(ge=0, le=255)]
_RANK = {"processed": 0, "confirmed": 1, "finalized": 2}


class StatusConfig(Struct, rename="camel"):
    """Everything is searched in any case."""

    search_transaction_history: bool = False


class TransactionConfig(Struct, rename="camel"):
    """How a transaction is to be returned."""

    encoding: TransactionEncoding | None = None
    commitment: Commitment | None = None
    max_supported_transaction_version: Version | None = None


class BlockConfig(Struct, rename="camel", frozen=True):
    """How a block is to be returned."""

    encoding: TransactionEncoding | None = None
    transaction_details: Literal["full", "signatures", "none"] = "full"
    rewards: bool | None = None
    commitment: Commitment | None = None
    max_supported_transaction_version: Version | None = None


class SignaturesConfig(Struct, rename="camel"):
    """Which part of an address's history to return."""

    limit: Annotated[int, Meta(ge=1, le=MAX_SIGNATURES)] | None = None
    before: str | None = None
    until: str | None = None
    commitment: Commitment | None = None
    min_context_slot: U64 | None = None


def _visible(bank: Bank, landed: Landed, commitment: str | None) -> bool:
    """Whether a transaction is as sure as the client wants it (default: finalized)."""
    return _RANK[bank.commitment(landed)] >= _RANK[commitment or "finalized"]


def _no_processed(commitment: str | None) -> None:
    if commitment == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")


def get_signature_statuses(bank: Bank, params: Params) -> object:
    params.at_most(2)
    texts = params.required(0, "signatures", list[str])
    params.config(1, StatusConfig)
    if len(texts) > MAX_STATUSES:
        raise invalid_params(f"Too many inputs provided; max {MAX_STATUSES}")
    return with_context(bank, [_status(bank, to_signature(text)) for text in texts])


def _status(bank: Bank, signature: str) -> object:
    landed = bank.history.get(signature)
    if landed is None:
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
    params.at_most(2)
    signature = to_signature(params.required(0, "signature", str))
    config = _encoding_or_config(params)
    _no_processed(config.commitment)
    landed = bank.history.get(signature)
    if landed is None or not _visible(bank, landed, config.commitment):
        return None
    return {
        "slot": landed.slot,
        "blockTime": landed.unix_time,
        **transaction_with_meta(
            bank, landed, config.encoding or "json", config.max_supported_transaction_version
        ),
    }


def _encoding_or_config(params: Params) -> TransactionConfig:
    """Older clients send the encoding as a bare string."""
    encoding = params.optional(1, "config", object)
    if isinstance(encoding, str):
        return params.convert({"encoding": encoding}, "encoding", TransactionConfig)
    return params.config(1, TransactionConfig)


def get_signatures_for_address(bank: Bank, params: Params) -> object:
    params.at_most(2)
    address = params.pubkey(0, "address")
    config = params.config(1, SignaturesConfig)
    _no_processed(config.commitment)
    check_context(bank.slot, config.min_context_slot)
    before = _bound(bank, config.before)
    until = _bound(bank, config.until)
    found = []
    below = None if before is None else before.number
    above = -1 if until is None else until.number
    for landed in bank.history.of_address(address, below, above):
        if not _visible(bank, landed, config.commitment):
            continue
        found.append(
            {
                "signature": landed.signature,
                "slot": landed.slot,
                "err": landed.outcome.error,
                "memo": None,
                "blockTime": landed.unix_time,
                "confirmationStatus": bank.commitment(landed),
            }
        )
        if len(found) == (config.limit or MAX_SIGNATURES):
            break
    return found


def _bound(bank: Bank, text: str | None) -> Landed | None:
    return None if text is None else bank.history.get(to_signature(text))


def get_block_time(bank: Bank, params: Params) -> object:
    params.at_most(1)
    return bank.time_of(_past_slot(bank, params.required(0, "slot", U64)))


def _past_slot(bank: Bank, slot: int) -> int:
    if not bank.genesis.first_slot <= slot <= bank.slot:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    return slot


def get_blocks(bank: Bank, params: Params) -> object:
    params.at_most(3)
    start = params.required(0, "startSlot", U64)
    # The end may be left out with the configuration in its place.
    second: object = params.optional(1, "endSlot", object)
    if isinstance(second, dict):
        end, config = None, params.config(1, ContextConfig)
    else:
        end, config = params.optional(1, "endSlot", U64), params.config(2, ContextConfig)
    _no_processed(config.commitment)
    delay = 1 if config.commitment == "confirmed" else FINALIZED_AFTER
    last = bank.slot - delay if end is None else min(end, bank.slot - delay)
    if last - start > MAX_BLOCK_RANGE:
        raise invalid_params(f"Slot range too large; max {MAX_BLOCK_RANGE}")
    return list(range(max(start, bank.genesis.first_slot), last + 1))


def get_block(bank: Bank, params: Params) -> object:
    params.at_most(2)
    slot = params.required(0, "slot", U64)
    config = params.config(1, BlockConfig)
    _no_processed(config.commitment)
    delay = 1 if config.commitment == "confirmed" else FINALIZED_AFTER
    if slot > bank.slot - delay:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    _past_slot(bank, slot)
    inside = [item for item in bank.history.in_slot(slot) if _visible(bank, item, "confirmed")]
    return block(bank, slot, inside, config)


def block(bank: Bank, slot: int, inside: list[Landed], config: BlockConfig) -> dict[str, object]:
    """A slot with the transactions that are to be shown of it."""
    shown: dict[str, object] = {
        "blockhash": str(bank.hashes.at(slot)),
        "previousBlockhash": str(bank.hashes.at(slot - 1)),
        "parentSlot": slot - 1,
        "blockHeight": slot,
        "blockTime": bank.time_of(slot),
    }
    if config.rewards is not False:
        shown["rewards"] = []
    if config.transaction_details == "signatures":
        shown["signatures"] = [item.signature for item in inside]
    elif config.transaction_details == "full":
        shown["transactions"] = [
            transaction_with_meta(
                bank, item, config.encoding or "json", config.max_supported_transaction_version
            )
            for item in inside
        ]
    return shown
