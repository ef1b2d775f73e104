"""JSON-RPC 2.0: from the body of a request to the body of the answer.

https://www.jsonrpc.org/specification ; positional parameters only, as validators have it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
    Stop,
    VmPanic,
)
from cbctl.localnet.rpc import (
    accounts,
    cluster,
    control,
    ledger,
    sending,
    tokens,
    validators,
)
from cbctl.localnet.rpc.params import Params
from cbctl.localnet.rpc.room import MAX_BATCH_CALLS, Room

log = logging.getLogger(__name__)

Method = Callable[[Bank, Params], object]

METHODS: dict[str, Method] = {
    "getAccountInfo": accounts.get_account_info,
    "getBalance": accounts.get_balance,
    "getBlock": ledger.get_block,
    "getBlockCommitment": validators.get_block_commitment,
    "getBlockHeight": cluster.get_block_height,
    "getBlockProduction": validators.get_block_production,
    "getBlocks": ledger.get_blocks,
    "getBlocksWithLimit": ledger.get_blocks_with_limit,
    "getBlockTime": ledger.get_block_time,
    "getClusterNodes": validators.get_cluster_nodes,
    "getEpochInfo": cluster.get_epoch_info,
    "getEpochSchedule": validators.get_epoch_schedule,
    "getFeeForMessage": cluster.get_fee_for_message,
    "getFirstAvailableBlock": cluster.get_first_block,
    "getGenesisHash": cluster.get_genesis_hash,
    "getHealth": cluster.get_health,
    "getHighestSnapshotSlot": cluster.get_highest_snapshot_slot,
    "getIdentity": validators.get_identity,
    "getInflationGovernor": validators.get_inflation_governor,
    "getInflationRate": validators.get_inflation_rate,
    "getInflationReward": validators.get_inflation_reward,
    "getLargestAccounts": accounts.get_largest_accounts,
    "getLatestBlockhash": cluster.get_latest_blockhash,
    "getLeaderSchedule": validators.get_leader_schedule,
    "getMaxRetransmitSlot": cluster.get_newest_slot,
    "getMaxShredInsertSlot": cluster.get_newest_slot,
    "getMinimumBalanceForRentExemption": cluster.get_minimum_balance_for_rent_exemption,
    "getMultipleAccounts": accounts.get_multiple_accounts,
    "getProgramAccounts": accounts.get_program_accounts,
    "getRecentPerformanceSamples": cluster.get_recent_performance_samples,
    "getRecentPrioritizationFees": cluster.get_recent_prioritization_fees,
    "getSignaturesForAddress": ledger.get_signatures_for_address,
    "getSignatureStatuses": ledger.get_signature_statuses,
    "getSlot": cluster.get_slot,
    "getSlotLeader": validators.get_slot_leader,
    "getSlotLeaders": validators.get_slot_leaders,
    "getStakeMinimumDelegation": validators.get_stake_minimum_delegation,
    "getSupply": accounts.get_supply,
    "getTokenAccountBalance": tokens.get_token_account_balance,
    "getTokenAccountsByDelegate": tokens.get_token_accounts_by_delegate,
    "getTokenAccountsByOwner": tokens.get_token_accounts_by_owner,
    "getTokenLargestAccounts": tokens.get_token_largest_accounts,
    "getTokenSupply": tokens.get_token_supply,
    "getTransaction": ledger.get_transaction,
    "getTransactionCount": cluster.get_transaction_count,
    "getVersion": cluster.get_version,
    "getVoteAccounts": validators.get_vote_accounts,
    "isBlockhashValid": cluster.is_blockhash_valid,
    "minimumLedgerSlot": cluster.get_first_block,
    "requestAirdrop": accounts.request_airdrop,
    "sendTransaction": sending.send_transaction,
    "simulateTransaction": sending.simulate_transaction,
}

# With those that only this machine may call.
ALL_METHODS = METHODS | control.METHODS


def error_body(error: RpcError, request_id: object = None) -> bytes:
    """A whole response that carries an error."""
    return msgspec.json.encode({"jsonrpc": "2.0", "error": error.body(), "id": request_id})


# Carries out one call by its method's name and `params` member; RpcError when it cannot.
Call = Callable[[str, object], object]


def answer(bank: Bank, body: bytes, methods: dict[str, Method] = METHODS) -> bytes:
    """The response body; empty when the request holds only notifications."""

    def call(name: str, params: object) -> object:
        method = methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        bank.tick()
        return bank.mended(lambda: method(bank, Params(params)))

    return respond(call, body)


def respond(call: Call, body: bytes) -> bytes:
    """The same for any set of methods."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return error_body(RpcError(PARSE_ERROR, "Parse error"))
    room = Room()
    if not isinstance(request, list):
        response = _one(call, request, room)
        return b"" if response is None else response
    if not request:
        return error_body(RpcError(INVALID_REQUEST, "Invalid request"))
    if len(request) > MAX_BATCH_CALLS:
        too_many = f"Too many calls in a batch: {len(request)}; max {MAX_BATCH_CALLS}"
        return error_body(RpcError(INVALID_REQUEST, too_many))
    responses = [Raw(r) for r in (_one(call, item, room) for item in request) if r is not None]
    return msgspec.json.encode(responses) if responses else b""


def _one(call: Call, request: object, room: Room) -> bytes | None:
    """One response; None for a notification, which is carried out and not answered.

    Without room nothing is carried out: whoever sent a batch sees from the errors what was left.
    """
    if not isinstance(request, dict):
        return error_body(RpcError(INVALID_REQUEST, "Invalid request"))
    request_id = request.get("id", UNSET)
    if not (
        request_id is UNSET
        or request_id is None
        or (isinstance(request_id, str | int | float) and not isinstance(request_id, bool))
    ):
        return error_body(RpcError(INVALID_REQUEST, "Invalid request"))
    shown_id = None if request_id is UNSET else request_id
    method = request.get("method")
    if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return error_body(RpcError(INVALID_REQUEST, "Invalid request"), shown_id)
    try:
        room.take(0)
        result = _guarded(call, method, request.get("params", UNSET))
        response = msgspec.json.encode({"jsonrpc": "2.0", "result": result, "id": shown_id})
        room.take(len(response))
    except RpcError as error:
        response = error_body(error, shown_id)
    return None if request_id is UNSET else response


def _guarded(call: Call, name: str, params: object) -> object:
    try:
        return call(name, params)
    except (RpcError, Stop):
        raise
    except VmPanic as panic:
        log.error("%s: the VM panicked: %s", name, panic)
        raise RpcError(INTERNAL_ERROR, f"Internal error: the VM panicked: {panic}") from None
    except Exception as error:  # a bug of ours must reach one client, not end the chain
        log.exception("%s failed", name)
        raise RpcError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}") from None
