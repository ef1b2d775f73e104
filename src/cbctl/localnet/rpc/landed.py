"""Landed transactions as the RPC shows them. Shapes: agave, transaction-status-client-types."""

from __future__ import annotations

from solders.instruction import CompiledInstruction
from solders.message import MessageV0, MessageV1
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from cbctl.localnet.bank import Bank
from cbctl.localnet.encoding import b58encode, b64encode
from cbctl.localnet.errors import UNSUPPORTED_TRANSACTION_VERSION, RpcError, invalid_params
from cbctl.localnet.history import Landed
from cbctl.localnet.transactions import AnyMessage, version_of


def status_of(error: object) -> dict[str, object]:
    """The deprecated `status` member, which older clients still read."""
    return {"Ok": None} if error is None else {"Err": error}


def _instruction(instruction: CompiledInstruction, height: int | None) -> dict[str, object]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": b58encode(bytes(instruction.data)),
        "stackHeight": height,
    }


def inner_instructions(meta: TransactionMetadata) -> list[object]:
    """Calls between programs, by the index of the instruction that they came from."""
    return [
        {
            "index": index,
            "instructions": [
                _instruction(call.instruction(), call.stack_height()) for call in calls
            ],
        }
        for index, calls in enumerate(meta.inner_instructions())
        if calls
    ]


def _message(message: AnyMessage) -> dict[str, object]:
    header = message.header
    shown: dict[str, object] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_instruction(i, 1) for i in message.instructions],
    }
    if isinstance(message, MessageV0):
        shown["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    elif isinstance(message, MessageV1):
        config = message.config
        shown["transactionConfig"] = {
            "priorityFee": config.priority_fee,
            "computeUnitLimit": config.compute_unit_limit,
            "loadedAccountsDataSizeLimit": config.loaded_accounts_data_size_limit,
            "heapSize": config.heap_size,
        }
    return shown


def encoded(raw: bytes, transaction: VersionedTransaction, encoding: str) -> object:
    """A transaction in one of the encodings; -32602 for one that is not served."""
    if encoding == "json":
        return {
            "signatures": [str(signature) for signature in transaction.signatures],
            "message": _message(transaction.message),
        }
    if encoding == "base64":
        return [b64encode(raw), "base64"]
    if encoding == "base58":
        return [b58encode(raw), "base58"]
    if encoding == "binary":
        return b58encode(raw)
    raise invalid_params("localnet does not serve jsonParsed transactions, ask for json or base64")


def _meta(landed: Landed) -> dict[str, object]:
    outcome = landed.outcome
    meta = outcome.meta
    returned = meta.return_data()
    shown: dict[str, object] = {
        "err": outcome.error,
        "status": status_of(outcome.error),
        "fee": outcome.fee,
        "preBalances": outcome.before,
        "postBalances": outcome.after,
        "innerInstructions": inner_instructions(meta),
        "logMessages": meta.logs(),
        # Null is what a validator says that does not record token balances.
        "preTokenBalances": None,
        "postTokenBalances": None,
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(key) for key in outcome.loaded.writable],
            "readonly": [str(key) for key in outcome.loaded.readonly],
        },
        "computeUnitsConsumed": meta.compute_units_consumed(),
    }
    if returned.data:
        shown["returnData"] = {
            "programId": str(returned.program_id),
            "data": [b64encode(returned.data), "base64"],
        }
    return shown


def transaction_with_meta(
    bank: Bank, landed: Landed, encoding: str, max_version: int | None
) -> dict[str, object]:
    """`transaction`, `meta` and `version`; -32015 for a version that the client cannot read."""
    transaction = VersionedTransaction.from_bytes(landed.raw)
    version = version_of(transaction.message)
    if isinstance(version, int) and (max_version is None or max_version < version):
        raise RpcError(
            UNSUPPORTED_TRANSACTION_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please "
            "try the request again with the following configuration parameter: "
            f'"maxSupportedTransactionVersion": {version}',
        )
    shown: dict[str, object] = {
        "transaction": encoded(landed.raw, transaction, encoding),
        "meta": _meta(landed),
    }
    if max_version is not None:
        shown["version"] = version
    return shown
