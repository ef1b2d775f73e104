"""Methods about validators, stakes and rewards, of a cluster that has one node and no votes."""

from __future__ import annotations

import struct
from typing import Any

from msgspec import Struct
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import (
    BLOCK_CLEANED_UP,
    BLOCK_NOT_AVAILABLE,
    RpcError,
    invalid_params,
)
from cbctl.localnet.parsed.reader import Unparsable
from cbctl.localnet.parsed.vote_state import parse_vote
from cbctl.localnet.rpc.cluster import FEATURE_SET
from cbctl.localnet.rpc.context import API_VERSION, asked_slot, slot_of, with_context
from cbctl.localnet.rpc.params import (
    U64,
    Commitment,
    ContextConfig,
    Params,
    check_context,
    convert,
    to_pubkey,
)
from cbctl.localnet.slots import (
    FIRST_NORMAL_EPOCH,
    FIRST_NORMAL_SLOT,
    SLOTS_PER_EPOCH,
    epoch_of,
    first_slot_of,
)

_MAX_LEADERS = 5_000
_MAX_LOCKOUT_HISTORY = 31
_HISTORY_SLOTS = 1024 * 1024
_DELINQUENT_SLOTS = 128
_MAX_EPOCH_CREDITS = 5
_VOTE_PROGRAM = Pubkey.from_string("Vote111111111111111111111111111111111111111")
_STAKE_PROGRAM = Pubkey.from_string("Stake11111111111111111111111111111111111111")
_GET_MINIMUM_DELEGATION = struct.pack("<I", 13)


class LeaderScheduleConfig(Struct):
    identity: str | None = None
    commitment: Commitment | None = None


class Range(Struct, rename="camel"):
    first_slot: U64
    last_slot: U64 | None = None


class BlockProductionConfig(Struct):
    identity: str | None = None
    range: Range | None = None
    commitment: Commitment | None = None


class VoteAccountsConfig(Struct, rename="camel"):
    vote_pubkey: str | None = None
    commitment: Commitment | None = None
    keep_unstaked_delinquents: bool | None = None
    delinquent_slot_distance: U64 | None = None


class EpochConfig(Struct, rename="camel"):
    epoch: U64 | None = None
    commitment: Commitment | None = None
    min_context_slot: U64 | None = None


def get_identity(bank: Bank, params: Params) -> object:
    """The faucet stands for the one node of this cluster."""
    params.expect(0, 0)
    return {"identity": str(bank.faucet)}


def get_cluster_nodes(bank: Bank, params: Params) -> object:
    """The one node; it speaks with no other, so it has no address but those for clients."""
    params.expect(0, 0)
    rpc = pubsub = None
    if bank.rpc_port is not None:
        rpc, pubsub = f"127.0.0.1:{bank.rpc_port}", f"127.0.0.1:{bank.rpc_port + 1}"
    silent = (
        "gossip", "tvu", "tpu", "tpuQuic", "tpuForwards", "tpuForwardsQuic", "tpuVote",
        "serveRepair",
    )  # fmt: skip
    return [
        {
            "pubkey": str(bank.faucet),
            **dict.fromkeys(silent),
            "rpc": rpc,
            "pubsub": pubsub,
            "version": API_VERSION,
            "clientId": None,
            "featureSet": FEATURE_SET,
            "shredVersion": _shred_version(bytes(bank.genesis_hash)),
        }
    ]


def _shred_version(genesis_hash: bytes) -> int:
    """What nodes tell their clusters apart by (solana-shred-version)."""
    high = low = 0
    for index in range(0, len(genesis_hash), 2):
        high ^= genesis_hash[index]
        low ^= genesis_hash[index + 1]
    return min((high << 8 | low) + 1, 65_535)


def get_vote_accounts(bank: Bank, params: Params) -> object:
    """Nobody votes; accounts that somebody made with the vote program are listed as they are."""
    params.expect(0, 1)
    config = params.config(0, VoteAccountsConfig)
    wanted = None if config.vote_pubkey is None else to_pubkey(config.vote_pubkey)
    slot = bank.slot_at(config.commitment or "finalized")
    distance = config.delinquent_slot_distance
    voted_after = slot - (_DELINQUENT_SLOTS if distance is None else distance)
    current, delinquent = [], []
    for key, account in bank.vm.program_accounts(_VOTE_PROGRAM):
        if wanted is not None and key != wanted:
            continue
        try:
            state: Any = parse_vote(str(key), account.data)["info"]
        except Unparsable:
            continue
        shown = _vote_account(str(key), state)
        if shown["lastVote"] > voted_after:
            current.append(shown)
        elif config.keep_unstaked_delinquents:
            delinquent.append(shown)
    return {"current": current, "delinquent": delinquent}


def _vote_account(key: str, state: dict[str, Any]) -> dict[str, Any]:
    credits = [
        (entry["epoch"], int(entry["credits"]), int(entry["previousCredits"]))
        for entry in state["epochCredits"][-_MAX_EPOCH_CREDITS:]
    ]
    return {
        "votePubkey": key,
        "nodePubkey": state["nodePubkey"],
        "activatedStake": 0,
        "commission": state["commission"],
        "inflationRewardsCommissionBps": state["inflationRewardsCommissionBps"],
        "epochVoteAccount": False,
        "epochCredits": credits,
        "lastVote": state["votes"][-1]["slot"] if state["votes"] else 0,
        "rootSlot": state["rootSlot"] or 0,
    }


def get_block_commitment(bank: Bank, params: Params) -> object:
    """No stake has voted on any block; of finalized ones validators remember nothing."""
    params.expect(1, 1)
    slot: int = params.required(0, U64)
    recent = bank.slot_at("finalized") < slot <= bank.slot
    return {"commitment": [0] * (_MAX_LOCKOUT_HISTORY + 1) if recent else None, "totalStake": 0}


def get_leader_schedule(bank: Bank, params: Params) -> object:
    """The one node leads every slot of every epoch whose schedule a validator would know."""
    params.expect(0, 2)
    first = params.optional(0, object)
    if isinstance(first, dict):
        asked, config = None, convert(first, LeaderScheduleConfig)
    else:
        asked, config = params.optional(0, U64), params.config(1, LeaderScheduleConfig)
    wanted = None if config.identity is None else to_pubkey(config.identity)
    slot = bank.slot_at(config.commitment or "finalized") if asked is None else asked
    if not _is_scheduled(bank, slot):
        return None
    if wanted is not None and wanted != bank.faucet:
        return {}
    return {str(bank.faucet): list(range(SLOTS_PER_EPOCH))}


def _is_scheduled(bank: Bank, slot: int) -> bool:
    """Schedules are made one epoch ahead."""
    first = first_slot_of(epoch_of(bank.genesis.first_slot)[0])
    return first <= slot < first_slot_of(epoch_of(bank.slot)[0] + 2)


def get_slot_leader(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    asked_slot(bank, params, 0)
    return str(bank.faucet)


def get_slot_leaders(bank: Bank, params: Params) -> object:
    params.expect(2, 2)
    start: int = params.required(0, U64)
    limit: int = params.required(1, U64)
    if limit > _MAX_LEADERS:
        raise invalid_params(f"Invalid limit; max {_MAX_LEADERS}")
    for slot in (start, start + max(0, limit - 1)):
        if limit and not _is_scheduled(bank, slot):
            epoch = epoch_of(slot)[0]
            raise invalid_params(
                f"Invalid slot range: leader schedule for epoch {epoch} is unavailable"
            )
    return [str(bank.faucet)] * limit


def get_block_production(bank: Bank, params: Params) -> object:
    """Every slot has its block. The chain is younger than its first epoch."""
    params.expect(0, 1)
    config = params.config(0, BlockProductionConfig)
    wanted = None if config.identity is None else to_pubkey(config.identity)
    newest = bank.slot_at(config.commitment or "finalized")
    oldest = max(bank.genesis.first_slot, newest - _HISTORY_SLOTS + 1)
    first, last = max(oldest, first_slot_of(epoch_of(newest)[0])), newest
    if config.range is not None:
        first = config.range.first_slot
        last = newest if config.range.last_slot is None else config.range.last_slot
    if last < first:
        raise invalid_params(f"lastSlot, {last}, cannot be less than firstSlot, {first}")
    if first < oldest:
        raise invalid_params(f"firstSlot, {first}, is too small; min {oldest}")
    if last > newest:
        raise invalid_params(f"lastSlot, {last}, is too large; max {newest}")
    slots = last - first + 1
    mine = wanted is None or wanted == bank.faucet
    return with_context(
        newest,
        {
            "byIdentity": {str(bank.faucet): [slots, slots]} if mine else {},
            "range": {"firstSlot": first, "lastSlot": last},
        },
    )


def get_epoch_schedule(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    return {
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "warmup": True,
        "firstNormalEpoch": FIRST_NORMAL_EPOCH,
        "firstNormalSlot": FIRST_NORMAL_SLOT,
    }


def get_inflation_governor(bank: Bank, params: Params) -> object:
    """Nothing is ever minted: nobody is rewarded."""
    params.expect(0, 1)
    params.config(0, ContextConfig)
    return dict.fromkeys(("initial", "terminal", "taper", "foundation", "foundationTerm"), 0.0)


def get_inflation_rate(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    epoch = epoch_of(bank.slot_at("finalized"))[0]
    return {"total": 0.0, "validator": 0.0, "foundation": 0.0, "epoch": epoch}


def get_inflation_reward(bank: Bank, params: Params) -> object:
    """Rewards are in the first block of the epoch after; there, or never, are none."""
    params.expect(1, 2)
    addresses = [to_pubkey(text) for text in params.required(0, list[str])]
    config = params.config(1, EpochConfig)
    slot = bank.slot_at(config.commitment or "finalized")
    check_context(slot, config.min_context_slot)
    epoch = epoch_of(slot)[0] - 1 if config.epoch is None else config.epoch
    boundary, oldest = first_slot_of(epoch + 1), bank.genesis.first_slot
    if boundary < oldest:
        raise cleaned_up(boundary, oldest)
    if boundary > slot:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {boundary}")
    return [None for _ in addresses]


def cleaned_up(slot: int, oldest: int) -> RpcError:
    """Of a block before the first one."""
    return RpcError(
        BLOCK_CLEANED_UP,
        f"Block {slot} cleaned up, does not exist on node. First available block: {oldest}",
    )


def get_stake_minimum_delegation(bank: Bank, params: Params) -> object:
    """What the stake program itself says."""
    params.expect(0, 1)
    slot = slot_of(bank, params.config(0, ContextConfig))
    ask = Instruction(_STAKE_PROGRAM, _GET_MINIMUM_DELEGATION, [])
    message = Message.new_with_blockhash([ask], bank.faucet, bank.hashes.at(bank.slot))
    done = bank.simulate(VersionedTransaction.populate(message, [Signature.default()]))
    return with_context(slot, int.from_bytes(done.meta.return_data().data, "little"))
