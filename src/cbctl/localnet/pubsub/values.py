"""What notifications carry. Shapes: https://solana.com/docs/rpc/websocket"""

from __future__ import annotations

import functools
import time

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank
from cbctl.localnet.encoding import MAX_BASE58_BYTES
from cbctl.localnet.errors import UNSUPPORTED_TRANSACTION_VERSION, RpcError
from cbctl.localnet.history import Landed
from cbctl.localnet.pubsub.subscriptions import MAX_OF_ALL
from cbctl.localnet.pubsub.topics import ProgramTopic
from cbctl.localnet.rpc.accounts import only_readable
from cbctl.localnet.rpc.filters import AnyFilter, Matcher
from cbctl.localnet.rpc.ledger import BlockConfig
from cbctl.localnet.rpc.ledger import block as shown_block
from cbctl.localnet.rpc.params import AccountEncoding
from cbctl.localnet.rpc.shown import Shower
from cbctl.localnet.transactions import VOTE_PROGRAM, is_simple_vote, version_of

# A block is made in one go, so it may not be larger than the loop can spare the time for.
MAX_BLOCK_TRANSACTIONS = 5_000

_TOO_LARGE = "error: data too large for bs58 encoding"


def in_slot(slot: int, value: object) -> dict[str, object]:
    """A value and the slot that it is of."""
    return {"context": {"slot": slot}, "value": value}


def signature(slot: int, landed: Landed) -> object:
    """How a transaction ended."""
    return in_slot(slot, {"err": landed.outcome.error})


def logs(landed: Landed) -> object:
    """What a transaction said."""
    outcome = landed.outcome
    value = {
        "signature": landed.signature,
        "err": outcome.error,
        "logs": outcome.meta.logs(),
    }
    return in_slot(landed.slot, value)


def account(bank: Bank, key: Pubkey, shown: Account, encoding: AccountEncoding) -> object:
    """As getAccountInfo shows it; what base58 is too short for says so in the data, as on a
    validator."""
    shower = Shower(bank, encoding)
    if encoding in ("binary", "base58") and len(shown.data) > MAX_BASE58_BYTES:
        without = Account(shown.lamports, b"", shown.owner, shown.executable)
        data = _TOO_LARGE if encoding == "binary" else [_TOO_LARGE, "base58"]
        about = shower.show(key, without) or {}
        return {**about, "data": data, "space": len(shown.data)}
    return shower.show(key, shown)


@functools.lru_cache(maxsize=MAX_OF_ALL)
def _matcher(filters: bytes) -> Matcher:
    return Matcher(msgspec.json.decode(filters, type=list[AnyFilter]))


def of_program(bank: Bank, key: Pubkey, shown: Account, topic: ProgramTopic) -> object:
    """An account with its address; None when the subscription is not about it."""
    if not _matcher(topic.filters)(shown):
        return None
    keyed = [{"pubkey": str(key), "account": account(bank, key, shown, topic.encoding)}]
    return next(iter(only_readable(keyed, topic.key, topic.encoding)), None)


def is_vote(landed: Landed) -> bool:
    """Whether a transaction of the past is a validator's vote."""
    return VOTE_PROGRAM in landed.outcome.keys and is_simple_vote(
        VersionedTransaction.from_bytes(landed.raw)
    )


def block(bank: Bank, slot: int, inside: list[Landed], config: BlockConfig) -> object:
    """A block with some of its transactions, or why it cannot be shown."""
    shown: object = None
    error: object = None
    whole = config.transaction_details not in ("signatures", "none")
    if whole and len(inside) > MAX_BLOCK_TRANSACTIONS:
        error = "BlockStoreError"
    else:
        try:
            shown = shown_block(bank, slot, inside, config)
        except RpcError as refused:
            error = "BlockStoreError"
            if refused.code == UNSUPPORTED_TRANSACTION_VERSION:
                error = {"UnsupportedTransactionVersion": _newest_version(inside)}
    return in_slot(slot, {"slot": slot, "err": error, "block": shown})


def _newest_version(inside: list[Landed]) -> int:
    transactions = (VersionedTransaction.from_bytes(landed.raw) for landed in inside)
    versions = (version_of(transaction.message) for transaction in transactions)
    return max((version for version in versions if isinstance(version, int)), default=0)


def update(kind: str, slot: int, **more: object) -> dict[str, object]:
    """One step in the life of a slot; milliseconds since 1970."""
    return {"slot": slot, "timestamp": int(time.time() * 1000), "type": kind, **more}


def frozen(bank: Bank, slot: int) -> dict[str, object]:
    """A slot is complete. Here each transaction runs alone, which makes it an entry of its own."""
    inside = bank.history.in_slot(slot)
    failed = sum(landed.outcome.error is not None for landed in inside)
    return update(
        "frozen",
        slot,
        stats={
            "numTransactionEntries": len(inside),
            "numSuccessfulTransactions": len(inside) - failed,
            "numFailedTransactions": failed,
            "maxTransactionsPerEntry": min(len(inside), 1),
        },
    )
