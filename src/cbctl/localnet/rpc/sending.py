"""sendTransaction and simulateTransaction. Limits and messages: agave, rpc/src/rpc.rs."""

from __future__ import annotations

from msgspec import Struct
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.blockhash import MAX_AGE
from cbctl.localnet.encoding import b58decode, b64decode, b64encode
from cbctl.localnet.errors import (
    PREFLIGHT_FAILURE,
    SIGNATURE_VERIFICATION_FAILURE,
    RpcError,
    invalid_params,
)
from cbctl.localnet.reasons import describe
from cbctl.localnet.rpc.accounts import ui_account
from cbctl.localnet.rpc.cluster import with_context
from cbctl.localnet.rpc.landed import inner_instructions
from cbctl.localnet.rpc.params import (
    U64,
    AccountEncoding,
    Commitment,
    Params,
    WireEncoding,
    check_context,
    to_pubkey,
)
from cbctl.localnet.rpc.room import Room
from cbctl.localnet.transactions import (
    MAX_V1_BYTES,
    fee_of,
    max_bytes,
    parse_transaction,
    with_blockhash,
)

_TYPE = "solana_transaction::versioned::VersionedTransaction"
# What 4,096 bytes become: 4 characters for 3 bytes, or log(256)/log(58) for each.
_MAX_TEXT = {"base64": -(-MAX_V1_BYTES // 3) * 4, "base58": MAX_V1_BYTES * 138 // 100 + 1}


class SendConfig(Struct, rename="camel"):
    """max_retries says how often a validator sends it on; here it lands at once or never."""

    skip_preflight: bool = False
    preflight_commitment: Commitment | None = None
    encoding: WireEncoding | None = None
    max_retries: U64 | None = None
    min_context_slot: U64 | None = None


class SimulateAccounts(Struct):
    """Which accounts to return, and how."""

    addresses: list[str]
    encoding: AccountEncoding | None = None


class SimulateConfig(Struct, rename="camel"):
    """What to check and what to return."""

    sig_verify: bool = False
    replace_recent_blockhash: bool = False
    inner_instructions: bool = False
    commitment: Commitment | None = None
    encoding: WireEncoding | None = None
    accounts: SimulateAccounts | None = None
    min_context_slot: U64 | None = None


def _decode(text: str, encoding: str) -> VersionedTransaction:
    if len(text) > _MAX_TEXT[encoding]:
        raise invalid_params(
            f"{encoding} encoded {_TYPE} too large: {len(text)} bytes "
            f"(max: encoded/raw {_MAX_TEXT[encoding]}/{MAX_V1_BYTES})"
        )
    try:
        raw = b64decode(text) if encoding == "base64" else b58decode(text)
    except ValueError as error:
        raise invalid_params(str(error)) from None
    if len(raw) > max_bytes(raw):
        raise invalid_params(
            f"decoded {_TYPE} too large: {len(raw)} bytes (max: {max_bytes(raw)} bytes)"
        )
    try:
        return parse_transaction(raw)
    except ValueError as error:
        raise invalid_params(f"failed to deserialize {_TYPE}: {error}") from None


def _return_data(meta: TransactionMetadata) -> object:
    """Null when the program set none; the VM then names the system program and no bytes."""
    returned = meta.return_data()
    if not returned.data:
        return None
    return {"programId": str(returned.program_id), "data": [b64encode(returned.data), "base64"]}


def _not_run(error: object) -> dict[str, object]:
    """The simulation value of a transaction that never came to the VM."""
    return {
        "err": error,
        "logs": [],
        "accounts": None,
        "unitsConsumed": 0,
        "loadedAccountsDataSize": 0,
        "returnData": None,
        "innerInstructions": None,
        "replacementBlockhash": None,
    }


def _simulate(bank: Bank, transaction: VersionedTransaction, config: SimulateConfig) -> object:
    replacement: object = None
    if config.replace_recent_blockhash:
        transaction = with_blockhash(transaction, bank.hashes.at(bank.slot))
        replacement = {
            "blockhash": str(transaction.message.recent_blockhash),
            "lastValidBlockHeight": bank.slot + MAX_AGE,
        }
    elif (refusal := bank.refusal(transaction)) is not None:
        return _not_run(refusal)
    addresses = [to_pubkey(a) for a in config.accounts.addresses] if config.accounts else []
    if len(addresses) > len(transaction.message.account_keys) + 256:
        raise invalid_params("Too many accounts provided")
    done = bank.simulate(transaction)
    accounts: object = None
    if config.accounts is not None:
        encoding = config.accounts.encoding or "base64"
        if encoding in ("binary", "base58"):
            raise invalid_params("base58 encoding not supported")
        room = Room()
        accounts = [
            None
            if done.error is not None
            else ui_account(done.accounts.get(key) or bank.vm.account(key), encoding, room)
            for key in addresses
        ]
    return {
        **_not_run(done.error),
        "logs": done.meta.logs(),
        "accounts": accounts,
        "unitsConsumed": done.meta.compute_units_consumed(),
        "fee": fee_of(transaction.message),
        "returnData": _return_data(done.meta),
        "innerInstructions": inner_instructions(done.meta) if config.inner_instructions else None,
        "replacementBlockhash": replacement,
    }


def simulate_transaction(bank: Bank, params: Params) -> object:
    params.at_most(2)
    text = params.required(0, "transaction", str)
    config = params.config(1, SimulateConfig)
    check_context(bank.slot, config.min_context_slot)
    if config.sig_verify and config.replace_recent_blockhash:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    transaction = _decode(text, config.encoding or "base58")
    if config.sig_verify and not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    return with_context(bank, _simulate(bank, transaction, config))


def send_transaction(bank: Bank, params: Params) -> object:
    """The first signature. Without preflight also for a transaction that never lands."""
    params.at_most(2)
    text = params.required(0, "transaction", str)
    config = params.config(1, SendConfig)
    check_context(bank.slot, config.min_context_slot)
    transaction = _decode(text, config.encoding or "base58")
    signature = str(transaction.signatures[0])
    if config.skip_preflight:
        bank.submit(transaction)
        return signature
    if not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_VERIFICATION_FAILURE, "Transaction signature verification failure")
    preflight = _simulate(bank, transaction, SimulateConfig())
    assert isinstance(preflight, dict)
    if preflight["err"] is not None:
        raise _preflight_failure(preflight)
    result = bank.submit(transaction, verified=True)
    if isinstance(result, Refused):
        # Only when the slot changed between preflight and landing, and with it the answer.
        raise _preflight_failure(_not_run(result.error))
    return signature


def _preflight_failure(simulation: dict[str, object]) -> RpcError:
    return RpcError(
        PREFLIGHT_FAILURE,
        f"Transaction simulation failed: {describe(simulation['err'])}",
        simulation,
    )
