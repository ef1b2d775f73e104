"""The calls of the WebSocket: subscribe, unsubscribe, and getVersion as on a validator.

Defaults and messages: agave, rpc/src/rpc_pubsub.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct
from solders.pubkey import Pubkey
from solders.signature import Signature

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError
from cbctl.localnet.pubsub.notifier import Notifier
from cbctl.localnet.pubsub.subscriptions import Listener
from cbctl.localnet.pubsub.topics import (
    AccountTopic,
    BlockTopic,
    LogsTopic,
    ProgramTopic,
    RootTopic,
    SignatureTopic,
    SlotsUpdatesTopic,
    SlotTopic,
    Topic,
)
from cbctl.localnet.rpc.accounts import ProgramAccountsConfig
from cbctl.localnet.rpc.cluster import get_version
from cbctl.localnet.rpc.filters import Matcher
from cbctl.localnet.rpc.ledger import BlockConfig, Version
from cbctl.localnet.rpc.params import (
    U64,
    Commitment,
    Params,
    TransactionEncoding,
    at_least_confirmed,
    convert,
)
from cbctl.localnet.rpc.shown import AccountConfig

T = TypeVar("T")

_DEFAULT = "finalized"


class CommitmentConfig(Struct):
    """How sure a transaction must be."""

    commitment: Commitment | None = None


class Mentions(Struct, forbid_unknown_fields=True):
    """Transactions that name an account."""

    mentions: list[str]


class SignatureConfig(Struct, rename="camel"):
    """Whether the arrival is to be told too."""

    commitment: Commitment | None = None
    enable_received_notification: bool | None = None


class MentionsAccount(Struct, rename="camel", forbid_unknown_fields=True):
    """Blocks with a transaction that names an account."""

    mentions_account_or_program: str


class BlockSubscribeConfig(Struct, rename="camel"):
    """As for getBlock, with other defaults."""

    commitment: Commitment | None = None
    encoding: TransactionEncoding | None = None
    transaction_details: Literal["full", "accounts", "signatures", "none"] | None = None
    show_rewards: bool | None = None
    max_supported_transaction_version: Version | None = None


def _invalid_request(reason: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid Request: {reason}")


def _pubkey(text: str, thing: str = "pubkey") -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise _invalid_request(f"Invalid {thing} provided") from None


def _account(params: Params) -> Topic:
    """dataSlice and minContextSlot are read and have no effect, as on a validator."""
    params.expect(1, 2)
    key = _pubkey(params.required(0, str))
    config = params.config(1, AccountConfig)
    return AccountTopic(key, config.encoding or "binary", config.commitment or _DEFAULT)


def _program(params: Params) -> Topic:
    params.expect(1, 2)
    key = _pubkey(params.required(0, str))
    config = params.config(1, ProgramAccountsConfig)
    filters = config.filters or []
    Matcher(filters)  # refuses what cannot be matched
    return ProgramTopic(
        key,
        config.encoding or "binary",
        config.commitment or _DEFAULT,
        msgspec.json.encode(filters),
    )


def _logs(params: Params) -> Topic:
    params.expect(1, 2)
    wanted: object = params.required(0, object)
    commitment = params.config(1, CommitmentConfig).commitment or _DEFAULT
    if wanted in ("all", "allWithVotes"):
        return LogsTopic(None, wanted == "allWithVotes", commitment)
    keys = convert(wanted, Mentions).mentions
    if len(keys) != 1:
        raise _invalid_request("Only 1 address supported")
    return LogsTopic(_pubkey(keys[0], "mentions"), True, commitment)


def _signature(params: Params) -> Topic:
    params.expect(1, 2)
    text = params.required(0, str)
    config = params.config(1, SignatureConfig)
    try:
        signature = str(Signature.from_string(text))
    except ValueError:
        raise _invalid_request("Invalid signature provided") from None
    received = bool(config.enable_received_notification)
    return SignatureTopic(signature, received, config.commitment or _DEFAULT)


def _block(params: Params) -> Topic:
    params.expect(1, 2)
    wanted: object = params.required(0, object)
    config = params.config(1, BlockSubscribeConfig)
    commitment = at_least_confirmed(config.commitment)
    mentions = None
    if wanted != "all":
        text = convert(wanted, MentionsAccount).mentions_account_or_program
        mentions = _pubkey(text, "mentions_account_or_program")
    # Through JSON, so that getBlock's own rules say which values there are.
    shown = convert(
        {
            "encoding": config.encoding or "base64",
            "transactionDetails": config.transaction_details or "full",
            "rewards": bool(config.show_rewards),
            "maxSupportedTransactionVersion": config.max_supported_transaction_version,
        },
        BlockConfig,
    )
    return BlockTopic(mentions, shown, commitment)


def _nothing(topic: Topic) -> Callable[[Params], Topic]:
    def parse(params: Params) -> Topic:
        params.expect(0, 0)
        return topic

    return parse


_TOPICS: dict[str, Callable[[Params], Topic]] = {
    "account": _account,
    "block": _block,
    "logs": _logs,
    "program": _program,
    "root": _nothing(RootTopic()),
    "signature": _signature,
    "slot": _nothing(SlotTopic()),
    "slotsUpdates": _nothing(SlotsUpdatesTopic()),
}
_SUBSCRIBE = {f"{name}Subscribe": parse for name, parse in _TOPICS.items()}
_UNSUBSCRIBE = {f"{name}Unsubscribe" for name in _TOPICS}


class Calls:
    """What one connection can ask for."""

    def __init__(self, bank: Bank, notifier: Notifier, listener: Listener) -> None:
        self._bank = bank
        self._notifier = notifier
        self._listener = listener

    def __call__(self, name: str, params: object) -> object:
        """RpcError when it cannot be done."""
        parse = _SUBSCRIBE.get(name)
        if parse is not None:
            return self._notifier.subscribe(self._listener, parse(Params(params)))
        if name in _UNSUBSCRIBE:
            return self._unsubscribe(Params(params))
        if name == "getVersion":
            return get_version(self._bank, Params(params))
        raise RpcError(METHOD_NOT_FOUND, "Method not found")

    def _unsubscribe(self, params: Params) -> bool:
        params.expect(1, 1)
        number = params.required(0, U64)
        if not self._notifier.unsubscribe(self._listener, number):
            raise RpcError(INVALID_PARAMS, "Invalid subscription id.")
        return True
