"""Landed transactions as the RPC shows them. Shapes: agave, transaction-status-client-types."""

from __future__ import annotations

from collections.abc import Sequence

from solders.instruction import CompiledInstruction
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from cbctl.localnet.cost import cost_units
from cbctl.localnet.encoding import b58encode, b64encode
from cbctl.localnet.errors import UNSUPPORTED_TRANSACTION_VERSION, RpcError
from cbctl.localnet.history import Landed
from cbctl.localnet.locks import writable
from cbctl.localnet.outcome import Outcome
from cbctl.localnet.parsed.amounts import MintTerms, ui_amount
from cbctl.localnet.parsed.instructions import parse_instruction
from cbctl.localnet.tokens import TokenBalance
from cbctl.localnet.transactions import AnyMessage, Loaded, version_of, writable_keys


def status_of(error: object) -> dict[str, object]:
    """The deprecated `status` member, which older clients still read."""
    return {"Ok": None} if error is None else {"Err": error}


def return_data(meta: TransactionMetadata) -> object:
    """None when the program set none; the VM then names the system program and no bytes."""
    returned = meta.return_data()
    if not returned.data:
        return None
    return {"programId": str(returned.program_id), "data": [b64encode(returned.data), "base64"]}


def loaded_addresses(loaded: Loaded) -> dict[str, object]:
    """Addresses out of lookup tables."""
    return {
        "writable": [str(key) for key in loaded.writable],
        "readonly": [str(key) for key in loaded.readonly],
    }


def token_balances(balances: Sequence[TokenBalance], stored: bool) -> list[object]:
    """What accounts held; without a mint's interest, which the ledger does not know.

    stored  as out of a ledger, where nothing has no number
    """
    shown: list[object] = []
    for balance in balances:
        amount = ui_amount(balance.amount, MintTerms(balance.decimals), 0)
        if stored and not balance.amount:
            amount["uiAmount"] = None
        shown.append(
            {
                "accountIndex": balance.place,
                "mint": str(balance.mint),
                "uiTokenAmount": amount,
                "owner": str(balance.owner),
                "programId": str(balance.program),
            }
        )
    return shown


# ---- instructions


def _compiled(instruction: CompiledInstruction, height: int | None) -> dict[str, object]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": b58encode(bytes(instruction.data)),
        "stackHeight": height,
    }


def _parsed(
    instruction: CompiledInstruction, height: int | None, keys: Sequence[str]
) -> dict[str, object]:
    program = keys[instruction.program_id_index]
    accounts = [keys[index] for index in instruction.accounts]
    data = bytes(instruction.data)
    known = parse_instruction(program, data, accounts)
    if known is None:
        return {
            "programId": program,
            "accounts": accounts,
            "data": b58encode(data),
            "stackHeight": height,
        }
    name, parsed = known
    return {"program": name, "programId": program, "parsed": parsed, "stackHeight": height}


def inner_instructions(
    meta: TransactionMetadata, keys: Sequence[Pubkey] | None = None
) -> list[object]:
    """Calls between programs, by the index of the instruction that they came from.

    keys  of the transaction: with them the calls are parsed
    """
    names = None if keys is None else [str(key) for key in keys]
    return [
        {
            "index": index,
            "instructions": [
                _compiled(call.instruction(), call.stack_height())
                if names is None
                else _parsed(call.instruction(), call.stack_height(), names)
                for call in calls
            ],
        }
        for index, calls in enumerate(meta.inner_instructions())
        if calls
    ]


# ---- messages


def _lookups(message: MessageV0) -> list[dict[str, object]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]


def _raw_message(message: AnyMessage) -> dict[str, object]:
    header = message.header
    return {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_compiled(i, 1) for i in message.instructions],
        **_of_version(message),
    }


def _parsed_message(message: AnyMessage, outcome: Outcome) -> dict[str, object]:
    names = [str(key) for key in outcome.keys]
    return {
        "accountKeys": account_keys(message, outcome),
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_parsed(i, 1, names) for i in message.instructions],
        **_of_version(message),
    }


def _of_version(message: AnyMessage) -> dict[str, object]:
    """What only messages of one version have."""
    if isinstance(message, MessageV0):
        return {"addressTableLookups": _lookups(message)}
    if isinstance(message, MessageV1):
        config = message.config
        return {
            "transactionConfig": {
                "priorityFee": config.priority_fee,
                "computeUnitLimit": config.compute_unit_limit,
                "loadedAccountsDataSizeLimit": config.loaded_accounts_data_size_limit,
                "heapSize": config.heap_size,
            }
        }
    return {}


def account_keys(message: AnyMessage, outcome: Outcome) -> list[object]:
    """Every account with what the transaction may do with it."""
    written = writable(message, outcome.keys, outcome.loaded)
    signers = message.header.num_required_signatures
    own = len(message.account_keys)
    return [
        {
            "pubkey": str(key),
            "writable": key in written,
            "signer": place < signers,
            "source": "transaction" if place < own else "lookupTable",
        }
        for place, key in enumerate(outcome.keys)
    ]


def encoded(
    raw: bytes, transaction: VersionedTransaction, outcome: Outcome, encoding: str
) -> object:
    """A transaction in one of the encodings."""
    if encoding in ("json", "jsonParsed"):
        message = transaction.message
        return {
            "signatures": [str(signature) for signature in transaction.signatures],
            "message": _raw_message(message)
            if encoding == "json"
            else _parsed_message(message, outcome),
        }
    if encoding == "base64":
        return [b64encode(raw), "base64"]
    text = b58encode(raw)
    return text if encoding == "binary" else [text, "base58"]


# ---- what running did


def _short_meta(outcome: Outcome, rewards: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "err": outcome.error,
        "status": status_of(outcome.error),
        "fee": outcome.fee,
        "preBalances": outcome.before,
        "postBalances": outcome.after,
        "preTokenBalances": token_balances(outcome.tokens_before, stored=True),
        "postTokenBalances": token_balances(outcome.tokens_after, stored=True),
    }
    if rewards:
        shown["rewards"] = []
    return shown


def _meta(message: AnyMessage, outcome: Outcome, encoding: str, rewards: bool) -> dict[str, object]:
    meta = outcome.meta
    units = meta.compute_units_consumed()
    locks = len(writable_keys(message, outcome.keys, outcome.loaded))
    parsed = encoding == "jsonParsed"
    shown = _short_meta(outcome, rewards)
    shown |= {
        "innerInstructions": inner_instructions(meta, outcome.keys if parsed else None),
        "logMessages": meta.logs(),
        "computeUnitsConsumed": units,
        "costUnits": cost_units(message, locks, units, outcome.loaded_bytes),
    }
    if not rewards:
        shown["rewards"] = None
    if not parsed:  # where the keys say which of them are loaded
        shown["loadedAddresses"] = loaded_addresses(outcome.loaded)
    returned = return_data(meta)
    if returned is not None:
        shown["returnData"] = returned
    return shown


def transaction_with_meta(
    landed: Landed, encoding: str, max_version: int | None, rewards: bool = True
) -> dict[str, object]:
    """`transaction`, `meta` and `version`; -32015 for a version that the client cannot read."""
    transaction, shown = _readable(landed, max_version)
    outcome = landed.outcome
    shown["transaction"] = encoded(landed.raw, transaction, outcome, encoding)
    shown["meta"] = _meta(transaction.message, outcome, encoding, rewards)
    return shown


def accounts_with_meta(landed: Landed, max_version: int | None, rewards: bool) -> dict[str, object]:
    """The same with accounts and balances only."""
    transaction, shown = _readable(landed, max_version)
    outcome = landed.outcome
    shown["transaction"] = {
        "signatures": [str(signature) for signature in transaction.signatures],
        "accountKeys": account_keys(transaction.message, outcome),
    }
    shown["meta"] = _short_meta(outcome, rewards)
    return shown


def _readable(
    landed: Landed, max_version: int | None
) -> tuple[VersionedTransaction, dict[str, object]]:
    transaction = VersionedTransaction.from_bytes(landed.raw)
    version = version_of(transaction.message)
    if isinstance(version, int) and (max_version is None or max_version < version):
        raise RpcError(
            UNSUPPORTED_TRANSACTION_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please "
            "try the request again with the following configuration parameter: "
            f'"maxSupportedTransactionVersion": {version}',
        )
    return transaction, {} if max_version is None else {"version": version}
