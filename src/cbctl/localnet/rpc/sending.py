"""sendTransaction and simulateTransaction. Limits and messages: agave, rpc/src/rpc.rs.

Both run on the newest state, whatever commitment is asked for; whether a blockhash is known is
judged at the commitment, as a validator does: one that is too new for it is not found.
"""

from __future__ import annotations

from msgspec import Struct
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.encoding import b58decode, b64decode
from cbctl.localnet.errors import PREFLIGHT_FAILURE, RpcError, invalid_params
from cbctl.localnet.outcome import Simulation
from cbctl.localnet.reasons import describe
from cbctl.localnet.rpc.cluster import blockhash_at
from cbctl.localnet.rpc.context import slot_of, with_context
from cbctl.localnet.rpc.landed import (
    inner_instructions,
    loaded_addresses,
    return_data,
    token_balances,
)
from cbctl.localnet.rpc.params import (
    U64,
    AccountEncoding,
    Commitment,
    ContextConfig,
    Params,
    WireEncoding,
    check_context,
    to_pubkey,
)
from cbctl.localnet.rpc.shown import Shower
from cbctl.localnet.transactions import (
    MAX_LEGACY_BYTES,
    MAX_V1_BYTES,
    max_bytes,
    parse_transaction,
    with_blockhash,
)

_TYPE = "solana_transaction::versioned::VersionedTransaction"
# What the largest transaction becomes in base64, and in base58, in which version 1 is not sent.
_MAX_BASE64 = -(-MAX_V1_BYTES // 3) * 4
_MAX_BASE58 = 1_683


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
    most = _MAX_BASE64 if encoding == "base64" else _MAX_BASE58
    if len(text) > most:
        raw_most = MAX_V1_BYTES if encoding == "base64" else MAX_LEGACY_BYTES
        raise invalid_params(
            f"{encoding} encoded {_TYPE} too large: {len(text)} bytes "
            f"(max: encoded/raw {most}/{raw_most})"
        )
    try:
        raw = b64decode(text) if encoding == "base64" else b58decode(text)
    except ValueError as error:
        raise invalid_params(f"invalid {encoding} encoding: {error}") from None
    if len(raw) > max_bytes(raw):
        raise invalid_params(
            f"decoded {_TYPE} too large: {len(raw)} bytes (max: {max_bytes(raw)} bytes)"
        )
    try:
        return parse_transaction(raw)
    except ValueError as error:
        raise invalid_params(f"failed to deserialize {_TYPE}: {error}") from None


def _wire(encoding: WireEncoding | None) -> str:
    return "base64" if encoding == "base64" else "base58"


def _not_run(error: object) -> dict[str, object]:
    """The value of a transaction of which nothing was looked at."""
    return {
        "err": error,
        "logs": [],
        "accounts": None,
        "unitsConsumed": 0,
        "loadedAccountsDataSize": 0,
        "returnData": None,
        "innerInstructions": None,
        "replacementBlockhash": None,
        "fee": None,
        "preBalances": None,
        "postBalances": None,
        "preTokenBalances": None,
        "postTokenBalances": None,
        "loadedAddresses": None,
    }


def _ran(done: Simulation) -> dict[str, object]:
    """What a preflight failure says of a simulation."""
    return {
        **_not_run(done.error),
        "logs": done.meta.logs(),
        "unitsConsumed": done.meta.compute_units_consumed(),
        "loadedAccountsDataSize": done.found.size if done.fee is not None else 0,
        "returnData": return_data(done.meta),
        "fee": done.fee,
    }


def _value(
    bank: Bank, transaction: VersionedTransaction, config: SimulateConfig, error: str | None
) -> dict[str, object]:
    """error  why it is not run"""
    if error is None:
        done = bank.simulate(transaction)
        value, found, after = _ran(done), done.found, done.after
        tokens_after = done.tokens_after
        if config.inner_instructions and done.error is None:
            value["innerInstructions"] = inner_instructions(done.meta, found.keys)
    else:
        done, value = None, _not_run(error)
        found = bank.vm.find(transaction.message)
        after, tokens_after = found.before, found.tokens
    return {
        **value,
        "accounts": _accounts(bank, len(found.keys), config.accounts, done),
        "preBalances": found.before,
        "postBalances": after,
        "preTokenBalances": token_balances(found.tokens, stored=False),
        "postTokenBalances": token_balances(tokens_after, stored=False),
        "loadedAddresses": loaded_addresses(found.loaded),
    }


def _accounts(
    bank: Bank, keys: int, wanted: SimulateAccounts | None, done: Simulation | None
) -> object:
    """The accounts that were asked for as they would be; null for each when it failed."""
    if wanted is None:
        return None
    encoding = wanted.encoding or "base64"
    if encoding in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    if len(wanted.addresses) > keys:
        raise invalid_params(f"Too many accounts provided; max {keys}")
    addresses = [to_pubkey(text) for text in wanted.addresses]
    if done is None or done.error is not None:
        return [None for _ in addresses]
    left = done.accounts
    shower = Shower(bank, encoding, account_of=lambda key: left.get(key) or bank.vm.account(key))
    return [
        shower.show(key, account if (account := left.get(key)) else bank.vm.account(key))
        for key in addresses
    ]


def simulate_transaction(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    text = params.required(0, str)
    config = params.config(1, SimulateConfig)
    transaction = _decode(text, _wire(config.encoding))
    slot = slot_of(bank, ContextConfig(config.commitment, config.min_context_slot))
    error: str | None = None
    if config.replace_recent_blockhash:
        if config.sig_verify:
            raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
        transaction = with_blockhash(transaction, bank.hashes.at(slot))
    elif config.sig_verify and not all(transaction.verify_with_results()):
        error = "SignatureFailure"
    else:
        error = bank.refusal(transaction, slot)
    value = _value(bank, transaction, config, error)
    if config.replace_recent_blockhash:
        value["replacementBlockhash"] = blockhash_at(bank, slot)
    return with_context(bank.slot, value)


def send_transaction(bank: Bank, params: Params) -> object:
    """The first signature. Without preflight also for a transaction that never lands."""
    params.expect(1, 2)
    text = params.required(0, str)
    config = params.config(1, SendConfig)
    transaction = _decode(text, _wire(config.encoding))
    if config.skip_preflight:
        check_context(bank.slot, config.min_context_slot)
    else:
        wanted = ContextConfig(config.preflight_commitment, config.min_context_slot)
        _preflight(bank, transaction, slot_of(bank, wanted))
    result = bank.submit(transaction, verified=not config.skip_preflight)
    if isinstance(result, Refused) and not config.skip_preflight:
        # Only when the slot changed between preflight and landing, and with it the answer.
        raise _preflight_failure(_not_run(result.error))
    return str(transaction.signatures[0])


def _preflight(bank: Bank, transaction: VersionedTransaction, slot: int) -> None:
    error: str | None = None
    if not all(transaction.verify_with_results()):
        error = "SignatureFailure"
    else:
        error = bank.refusal(transaction, slot)
    if error is not None:
        raise _preflight_failure(_not_run(error))
    if not bank.would_succeed(transaction):
        raise _preflight_failure(_ran(bank.simulate(transaction)))


def _preflight_failure(simulation: dict[str, object]) -> RpcError:
    return RpcError(
        PREFLIGHT_FAILURE,
        f"Transaction simulation failed: {describe(simulation['err'])}",
        simulation,
    )
