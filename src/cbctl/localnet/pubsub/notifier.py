"""From what happens on the chain to messages for those who listen.

Everything runs in the one event loop. A transaction that lands is put into a queue; the notifier's
own task takes it from there in slices, so that many listeners do not make the chain stand still,
and whoever sends transactions faster than they can be told waits (`room`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank
from cbctl.localnet.commitment import FINALIZED_AFTER
from cbctl.localnet.errors import Stop, VmPanic
from cbctl.localnet.history import Landed
from cbctl.localnet.pubsub import values
from cbctl.localnet.pubsub.progress import SPAN, Progress
from cbctl.localnet.pubsub.subscriptions import Listener, Subscription, Subscriptions
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
from cbctl.localnet.transactions import is_simple_vote

log = logging.getLogger(__name__)

# How long the task works before the rest of the loop has its turn.
SLICE_SECONDS = 0.004

# What may wait to be told before those who send transactions wait too.
MAX_QUEUED_EVENTS = 2_000
MAX_QUEUED_BYTES = 32 * 1024 * 1024

# Accounts as they were in slots that are not confirmed or final yet.
MAX_HELD_BYTES = 64 * 1024 * 1024

# A slot that is old enough and waits for the disk is looked at again so soon.
_DISK_SECONDS = 0.005

_GONE = Account(0, b"", Pubkey.default())
_CLOSED_ACCOUNT_BYTES = 200
_RANK = {"processed": 0, "confirmed": 1, "finalized": 2}

Changes = list[tuple[Pubkey, Account]]


class Note(NamedTuple):
    """One notification; the last one ends its subscription."""

    subscription: Subscription
    result: object
    last: bool = False


class _Event(NamedTuple):
    landed: Landed
    vote: bool
    changes: Changes
    size: int


# None: nothing, but time has passed.
Notes = Iterator[Note | None]


class Notifier:
    """Listens to the bank on behalf of everybody."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._subscriptions = Subscriptions()
        self._events: deque[_Event] = deque()
        self._queued_bytes = 0
        self._questions: deque[tuple[Subscription, SignatureTopic]] = deque()
        self._held: dict[str, dict[int, dict[Pubkey, Account]]] = {"confirmed": {}, "finalized": {}}
        self._held_bytes = 0
        self._slot = bank.slot
        self._progress = Progress(bank)
        self._wake = asyncio.Event()
        bank.on_landed = self._landed
        bank.on_restored = self._forget

    def subscribe(self, listener: Listener, topic: Topic) -> int:
        """The subscription's id; RpcError when there are too many."""
        if not len(self._subscriptions):
            self._slot = self._bank.tick()
            self._progress.skip()
            for commitment in self._held:
                for _ in self._progress.advance(commitment):
                    continue
        subscription = self._subscriptions.add(listener, topic)
        if isinstance(topic, SignatureTopic):
            # It may have landed already; the answer to this call goes out first.
            self._questions.append((subscription, topic))
        self._wake.set()
        return subscription.id

    def unsubscribe(self, listener: Listener, number: int) -> bool:
        """Whether there was something to end."""
        return self._subscriptions.remove(listener, number)

    def drop(self, listener: Listener) -> None:
        """The connection is gone."""
        self._subscriptions.drop(listener)

    async def room(self) -> None:
        """Returns when what waits to be told is little enough."""
        while len(self._events) > MAX_QUEUED_EVENTS or self._queued_bytes > MAX_QUEUED_BYTES:
            await asyncio.sleep(SLICE_SECONDS)

    async def run(self) -> None:
        """Forever."""
        while True:
            self._wake.clear()
            try:
                await self._tell_all()
            except (Stop, OSError):
                raise
            except VmPanic as panic:  # the bank has a fresh one
                log.error("the VM panicked when a slot began: %s", panic)
            except Exception:  # a bug of ours must not silence everybody
                log.exception("a notification failed")
            await self._pause()

    async def _tell_all(self) -> None:
        turn = time.monotonic()
        for note in self._notes():
            if note is not None:
                self._tell(note)
            if time.monotonic() - turn > SLICE_SECONDS:
                await asyncio.sleep(0)
                turn = time.monotonic()

    async def _pause(self) -> None:
        """Until something lands or is asked, or the next slot begins if anybody listens."""
        if not len(self._subscriptions):
            self._forget()
            await self._wake.wait()
            return
        seconds = _DISK_SECONDS if self._progress.behind() else self._bank.clock.seconds_left()
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _forget(self) -> None:
        """Nobody is told of what waits: nobody listens, or it is undone."""
        self._events.clear()
        self._queued_bytes = 0
        for held in self._held.values():
            held.clear()
        self._held_bytes = 0

    def _tell(self, note: Note) -> None:
        subscription = note.subscription
        if not subscription.listeners:
            return
        message = msgspec.json.encode(
            {
                "jsonrpc": "2.0",
                "method": subscription.topic.method,
                "params": {"result": note.result, "subscription": subscription.id},
            }
        )
        for listener in tuple(subscription.listeners):
            listener.send(message)
        if note.last:
            self._subscriptions.end(subscription)

    # What there is to tell

    def _notes(self) -> Notes:
        while self._events:
            event = self._events.popleft()
            self._queued_bytes -= event.size
            yield from self._processed(event)
        while self._questions:
            yield from self._already_there(*self._questions.popleft())
        if len(self._subscriptions):
            yield from self._slots(self._bank.tick())
            for commitment in self._held:
                for slot in self._progress.advance(commitment):
                    yield from self._reached(commitment, slot)

    def _landed(
        self, transaction: VersionedTransaction, landed: Landed, changed: Sequence[Pubkey]
    ) -> None:
        if not len(self._subscriptions):
            return
        changes = self._changes(changed)
        size = sum(len(account.data) + _CLOSED_ACCOUNT_BYTES for _, account in changes)
        vote = is_simple_vote(transaction)
        self._events.append(_Event(landed, vote, changes, size))
        self._queued_bytes += size
        self._wake.set()

    def _changes(self, keys: Sequence[Pubkey]) -> Changes:
        """The accounts that somebody listens to, as a transaction left them."""
        find = self._subscriptions.find
        if not self._subscriptions.has(AccountTopic, ProgramTopic):
            return []
        changes = []
        for key in keys:
            wanted = bool(find(AccountTopic, key))
            if wanted or self._subscriptions.has(ProgramTopic):
                account = self._bank.vm.account(key) or _GONE
                if wanted or find(ProgramTopic, account.owner):
                    changes.append((key, account))
        return changes

    def _processed(self, event: _Event) -> Notes:
        landed = event.landed
        for subscription, topic in self._subscriptions.find(SignatureTopic, landed.signature):
            if topic.received:
                yield Note(subscription, values.in_slot(landed.slot, "receivedSignature"))
            if topic.commitment == "processed":
                yield Note(subscription, values.signature(landed.slot, landed), last=True)
        yield from self._logs("processed", landed, event.vote)
        for key, account in event.changes:
            self._hold(landed.slot, key, account)
            yield from self._account("processed", landed.slot, key, account)

    def _already_there(self, subscription: Subscription, topic: SignatureTopic) -> Notes:
        landed = self._bank.history.get(topic.key)
        if landed is None or _RANK[self._bank.commitment(landed)] < _RANK[topic.commitment]:
            return
        slot = self._progress.reached.get(topic.commitment, self._bank.slot)
        yield Note(subscription, values.signature(max(slot, landed.slot), landed), last=True)

    def _logs(self, commitment: str, landed: Landed, vote: bool) -> Notes:
        for subscription, topic in self._subscriptions.find(LogsTopic, None, *landed.outcome.keys):
            if topic.commitment == commitment and (topic.votes or not vote):
                yield Note(subscription, values.logs(landed))

    def _account(self, commitment: str, slot: int, key: Pubkey, account: Account) -> Notes:
        for subscription, topic in self._subscriptions.find(AccountTopic, key):
            if topic.commitment == commitment:
                shown = values.account(self._bank, key, account, topic.encoding)
                yield Note(subscription, values.in_slot(slot, shown))
        if not account.lamports:
            return
        for subscription, program in self._subscriptions.find(ProgramTopic, account.owner):
            keyed = None
            if program.commitment == commitment:
                keyed = values.of_program(self._bank, key, account, program)
            yield None if keyed is None else Note(subscription, values.in_slot(slot, keyed))

    def _slots(self, slot: int) -> Notes:
        """Every slot that has begun; after a jump of the clock the last ones."""
        first = max(self._slot + 1, slot - SPAN)
        self._slot = max(self._slot, slot)
        for new in range(first, slot + 1):
            for subscription, _ in self._subscriptions.find(SlotTopic, None):
                root = max(self._bank.genesis.first_slot, new - FINALIZED_AFTER)
                yield Note(subscription, {"parent": new - 1, "root": root, "slot": new})
            for subscription, _ in self._subscriptions.find(SlotsUpdatesTopic, None):
                yield Note(subscription, values.frozen(self._bank, new - 1))
                yield Note(subscription, values.update("createdBank", new, parent=new - 1))

    def _reached(self, commitment: str, slot: int) -> Notes:
        find = self._subscriptions.find
        whole = self._subscriptions.has(SignatureTopic, LogsTopic, BlockTopic)
        inside = self._bank.history.in_slot(slot) if whole else []
        for landed in inside:
            for subscription, topic in find(SignatureTopic, landed.signature):
                if topic.commitment == commitment:
                    yield Note(subscription, values.signature(slot, landed), last=True)
            if self._subscriptions.has(LogsTopic):
                yield from self._logs(commitment, landed, values.is_vote(landed))
        for key, account in self._held[commitment].pop(slot, {}).items():
            self._held_bytes -= len(account.data)
            yield from self._account(commitment, slot, key, account)
        if self._subscriptions.has(BlockTopic):
            yield from self._block(commitment, slot, inside)
        kind = "optimisticConfirmation" if commitment == "confirmed" else "root"
        for subscription, _ in find(SlotsUpdatesTopic, None):
            yield Note(subscription, values.update(kind, slot))
        if commitment == "finalized":
            for subscription, _ in find(RootTopic, None):
                yield Note(subscription, slot)

    def _block(self, commitment: str, slot: int, inside: list[Landed]) -> Notes:
        mentioning: dict[Pubkey, list[Landed]] = {}
        for landed in inside:
            for key in landed.outcome.keys:
                mentioning.setdefault(key, []).append(landed)
        for subscription, topic in self._subscriptions.find(BlockTopic, None):
            if topic.commitment == commitment:
                mentions = topic.mentions
                shown = inside if mentions is None else mentioning.get(mentions)
                if shown is not None:
                    block = values.block(self._bank, slot, shown, topic.config)
                    yield Note(subscription, block)

    def _hold(self, slot: int, key: Pubkey, account: Account) -> None:
        """Keeps an account for those who want it confirmed or final."""
        find = self._subscriptions.find
        topics = [
            *(topic.commitment for _, topic in find(AccountTopic, key)),
            *(topic.commitment for _, topic in find(ProgramTopic, account.owner)),
        ]
        for commitment, held in self._held.items():
            if commitment in topics:
                of_slot = held.setdefault(slot, {})
                if key in of_slot:
                    self._held_bytes -= len(of_slot[key].data)
                of_slot[key] = account
                self._held_bytes += len(account.data)
        if self._held_bytes > MAX_HELD_BYTES:
            self._let_go()

    def _let_go(self) -> None:
        """Nobody is told half of the changes: who waits for large accounts loses the connection."""
        for held in self._held.values():
            held.clear()
        self._held_bytes = 0
        for subscription in self._subscriptions.all():
            topic = subscription.topic
            if isinstance(topic, AccountTopic | ProgramTopic) and topic.commitment in self._held:
                for listener in tuple(subscription.listeners):
                    listener.close("the accounts that wait to be confirmed are too large")
