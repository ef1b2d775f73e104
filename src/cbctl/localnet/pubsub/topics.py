"""What can be listened to. Equal topics are one subscription, whoever asked for them."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct
from solders.pubkey import Pubkey

from cbctl.localnet.rpc.ledger import BlockConfig
from cbctl.localnet.rpc.params import AccountEncoding


class AccountTopic(Struct, frozen=True):
    """Each change of one account."""

    method: ClassVar[str] = "accountNotification"

    key: Pubkey
    encoding: AccountEncoding
    commitment: str


class ProgramTopic(Struct, frozen=True):
    """Each change of an account that a program owns; `filters` is JSON, to be comparable."""

    method: ClassVar[str] = "programNotification"

    key: Pubkey
    encoding: AccountEncoding
    commitment: str
    filters: bytes


class LogsTopic(Struct, frozen=True):
    """The logs of transactions; `key` is whom they mention, None for all."""

    method: ClassVar[str] = "logsNotification"

    key: Pubkey | None
    votes: bool
    commitment: str


class SignatureTopic(Struct, frozen=True):
    """The end of one transaction, and before it its arrival if wanted."""

    method: ClassVar[str] = "signatureNotification"

    key: str
    received: bool
    commitment: str


class BlockTopic(Struct, frozen=True):
    """Each block; `mentions` leaves out blocks and transactions that do not name an account."""

    method: ClassVar[str] = "blockNotification"

    mentions: Pubkey | None
    config: BlockConfig
    commitment: str
    key: None = None


class SlotTopic(Struct, frozen=True):
    """The beginning of each slot."""

    method: ClassVar[str] = "slotNotification"

    key: None = None


class SlotsUpdatesTopic(Struct, frozen=True):
    """What becomes of each slot."""

    method: ClassVar[str] = "slotsUpdatesNotification"

    key: None = None


class RootTopic(Struct, frozen=True):
    """Each slot that is final."""

    method: ClassVar[str] = "rootNotification"

    key: None = None


Topic = (
    AccountTopic
    | ProgramTopic
    | LogsTopic
    | SignatureTopic
    | BlockTopic
    | SlotTopic
    | SlotsUpdatesTopic
    | RootTopic
)
