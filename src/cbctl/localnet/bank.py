"""The chain: clock, blockhashes, VM, ledger, store and history as one thing.

Not thread-safe: every call comes from the one event loop.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import count
from typing import NamedTuple, TypeVar

import msgspec
from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.localnet.chain import HISTORY_BYTES, Chain
from cbctl.localnet.commitment import Commitments
from cbctl.localnet.errors import EXIT_FAILED, SnapshotError, Stop, VmPanic
from cbctl.localnet.faucet import Faucet
from cbctl.localnet.fees import PriorityFees
from cbctl.localnet.genesis import Wanted, check
from cbctl.localnet.history import History, Landed, pack_details
from cbctl.localnet.ledger import Place
from cbctl.localnet.nonce import lasts
from cbctl.localnet.outcome import Outcome, Simulation, changed_keys
from cbctl.localnet.panics import panics_named
from cbctl.localnet.records import Entry, Moment, pack
from cbctl.localnet.replay import hashes_of, replay, vm_of
from cbctl.localnet.saving import Saving
from cbctl.localnet.slots import MAX_SLOT, MAX_UNIX_TIME, SlotClock, epoch_of
from cbctl.localnet.store import Head, shared_transactions
from cbctl.localnet.transactions import AnyMessage
from cbctl.localnet.vm import Vm

log = logging.getLogger(__name__)
T = TypeVar("T")
OnLanded = Callable[[VersionedTransaction, Landed, Sequence[Pubkey]], None]


class Refused(NamedTuple):
    """A transaction that did not land; `error` is a TransactionError in serde's JSON form."""

    error: object


class Bank:
    """Construction runs what the store has not taken in.

    cover      called before a slot is shown: no restart may begin before it
    on_append  called after each record, so that somebody puts it on disk soon
    wanted     what the chain has to have started with, also one that is restored
    rpc_port   where it is served, once it is
    """

    def __init__(
        self,
        chain: Chain,
        clock: SlotClock,
        cover: Callable[[int], None] = lambda slot: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.chain = chain
        self.clock = clock
        self.rpc_port: int | None = None
        self.on_append: Callable[[], object] = lambda: None
        self._cover = cover
        self._wall = wall
        self.wanted = Wanted()
        self._airdrops = count()
        # Told of each transaction that lands from now on, and of the accounts that it may have
        # changed; not of those that run again.
        self.on_landed: OnLanded = lambda _transaction, _landed, _changed: None
        # Told when what happened since a snapshot is undone.
        self.on_restored: Callable[[], None] = lambda: None
        self._saving = Saving(chain)
        self._take_up(chain.store.head)
        replayed = replay(chain)
        self.vm, self._moment = replayed.vm, replayed.moment
        for done in replayed.transactions:
            self.history.add(done.signature, done.slot, done.place, done.keys)
            self._saving.changed.update(done.changed)
        self.tick()

    def _take_up(self, head: Head) -> None:
        """Begins where the store stands."""
        self.genesis = head.genesis
        self.hashes = hashes_of(self.genesis)
        self._faucet = Faucet(self.genesis.faucet_seed)
        self.history = History(self.chain.ledger, self.chain.store)
        self.fees = PriorityFees()
        self._commitments = Commitments(self.chain.ledger)
        self._moment = head.moment

    @property
    def slot(self) -> int:
        """The newest slot."""
        return self._moment.slot

    @property
    def unix_time(self) -> int:
        """What the VM's clock says."""
        return self._moment.unix_time

    @property
    def genesis_hash(self) -> Hash:
        """What names this chain."""
        return Hash(bytes.fromhex(self.genesis.genesis_hash))

    @property
    def faucet(self) -> Pubkey:
        """The account that airdrops come from."""
        return self._faucet.address

    def tick(self) -> int:
        """Brings slot, blockhashes and the VM's clock to this moment; returns the slot."""
        slot, before = self.clock.slot(), self._moment
        if slot > before.slot:
            self._cover(slot)
            unix_time = max(before.unix_time, self._now(before.offset_ms))
            now = _later(before, slot, unix_time, self.genesis.slot_ms)
            if now.epoch_start != before.epoch_start:
                self._append(now)
            self._enter(now)
        return slot

    def _now(self, offset_ms: int) -> int:
        return int(self._wall() + offset_ms / 1000)

    def _enter(self, moment: Moment) -> None:
        self._moment = moment
        self.hashes.advance(moment.slot)
        self.mended(lambda: self._enter_vm(self.vm))

    def _enter_vm(self, vm: Vm) -> None:
        vm.enter(self._moment.slot, self._moment.unix_time, self._moment.epoch_start)

    def mended(self, work: Callable[[], T]) -> T:
        """Work with the VM; when it breaks, VmPanic, and the VM is a fresh one."""
        used = self.vm
        try:
            with panics_named:
                return work()
        except VmPanic:
            if self.vm is used:  # else it was replaced further inside
                self._rebuild()
            raise

    def may_land(self, message: AnyMessage, slot: int | None = None) -> bool:
        """Whether a message names a usable nonce, or a blockhash that is recent at a slot (the
        newest, if none is said)."""
        return self._by_nonce(message, slot) is not None

    def _by_nonce(self, message: AnyMessage, slot: int | None = None) -> bool | None:
        """How a message says that it is not old: by a blockhash, by a nonce, or not at all."""
        if self.hashes.is_valid(str(message.recent_blockhash), slot):
            return False
        return True if lasts(message, self.vm.account, self.hashes.at(self.slot)) else None

    def refusal(self, transaction: VersionedTransaction, slot: int) -> str | None:
        """Why a transaction does not even run, by the blockhashes that are known at a slot."""
        if not self.may_land(transaction.message, slot):
            return "BlockhashNotFound"
        known = self.history.find(transaction.signatures[0])
        return None if known is None else "AlreadyProcessed"

    def submit(
        self, transaction: VersionedTransaction, *, verified: bool = False
    ) -> Landed | Refused:
        """Runs a transaction, appends it to the ledger, and remembers it.

        verified  the caller has checked the signatures, which takes half of the time

        VmPanic when the VM broke on it: nothing of it is kept, and the VM is a fresh one.
        """
        self.tick()
        by_nonce = self._by_nonce(transaction.message)
        if by_nonce is None:
            return Refused("BlockhashNotFound")
        if self.history.find(transaction.signatures[0]) is not None:
            return Refused("AlreadyProcessed")
        if not verified and not all(transaction.verify_with_results()):
            return Refused("SignatureFailure")
        outcome = self.mended(lambda: self.vm.execute(transaction, by_nonce))
        if not outcome.landed:
            return Refused(outcome.error)
        changed = changed_keys(transaction.message, outcome, by_nonce)
        landed = self._land(transaction, outcome, by_nonce, changed)
        self.on_landed(transaction, landed, changed)
        return landed

    def run_again(self, transaction: VersionedTransaction, slot: int, unix_time: int) -> bool:
        """Runs a transaction of a chain that is taken over, at its own slot and time; whether it
        landed."""
        self._moment = self._moment._replace(slot=slot, unix_time=unix_time)
        self._enter_vm(self.vm)
        outcome = self.vm.execute(transaction)
        if outcome.landed:
            changed = changed_keys(transaction.message, outcome, by_nonce=False)
            self._land(transaction, outcome, False, changed)
        return outcome.landed

    def _land(
        self,
        transaction: VersionedTransaction,
        outcome: Outcome,
        by_nonce: bool,
        changed: Sequence[Pubkey],
    ) -> Landed:
        raw, signature = bytes(transaction), transaction.signatures[0]
        succeeded, details = outcome.error is None, pack_details(outcome)
        entry = Entry(self.slot, self.unix_time, succeeded, by_nonce, raw, details)
        place = self._append(entry)
        number = self.history.add(signature, self.slot, place, outcome.keys)
        self._saving.changed.update(changed)
        self.fees.landed(self.slot, transaction.message, outcome)
        self._commitments.landed(self.slot, place.end)
        return Landed(str(signature), number, self.slot, self.unix_time, place, outcome, raw)

    def _append(self, record: Entry | Moment) -> Place:
        try:
            place = self.chain.ledger.append(pack(record))
        except OSError as error:
            # The VM already holds the change and the ledger does not: going on would confirm
            # something that a restart loses.
            raise Stop(f"cannot write the ledger: {error}", EXIT_FAILED) from None
        self.on_append()
        return place

    def would_succeed(self, transaction: VersionedTransaction) -> bool:
        """Whether it would if it ran now; VmPanic as in `submit`."""
        self.tick()
        return self.mended(lambda: self.vm.would_succeed(transaction))

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """All that it would do if it ran now; VmPanic as in `submit`."""
        self.tick()
        return self.mended(lambda: self.vm.simulate(transaction))

    def airdrop(self, to: Pubkey, lamports: int, blockhash: Hash | None = None) -> str:
        """Transfers from the faucet; the signature, whether the transfer succeeds or not."""
        self.tick()
        recent = blockhash or self.hashes.at(self.slot)
        transaction = self._faucet.airdrop(to, lamports, recent, next(self._airdrops))
        self.submit(transaction)
        return str(transaction.signatures[0])

    def slot_at(self, commitment: str) -> int:
        """The newest slot that is processed, confirmed or finalized, with all that landed in it."""
        return max(self._commitments.slot(commitment, self.slot), self.genesis.first_slot)

    def balances(self) -> dict[Pubkey, int]:
        """Lamports of every account there is."""
        known = self.vm.given_accounts().union(self.chain.store.addresses(), self._saving.unsaved())
        balance = self.vm.balance
        return {key: lamports for key in known if (lamports := balance(key))}

    def commitment(self, landed: Landed) -> str:
        """How sure a transaction is."""
        return self._commitments.of(self.slot - landed.slot, landed.place.end)

    def time_of(self, slot: int) -> int:
        """Unix time of a slot of the past: recorded where something landed, estimated elsewhere."""
        known = self.history.at_or_before(slot)
        base_slot, base_time = (
            (known.slot, known.unix_time)
            if known is not None
            else (self.genesis.first_slot, self.genesis.unix_time)
        )
        elapsed = (slot - base_slot) * self.clock.slot_ms // 1000
        return min(base_time + elapsed, self.unix_time)

    def advance(self, slots: int) -> None:
        """Moves the clock by slots, and the chain's time with them.

        On disk when it returns: no client sees an earlier time again. ValueError beyond what
        clients can express."""
        self.tick()
        moved_ms = slots * self.clock.slot_ms
        if slots < 0:
            raise ValueError("the clock goes only forward")
        if self.slot + slots > MAX_SLOT or self.unix_time + moved_ms // 1000 > MAX_UNIX_TIME:
            raise ValueError("the clock does not go beyond the year 9999")
        self._cover(self.clock.slot() + slots)
        self.clock.advance(slots)
        self._moment = self._moment._replace(offset_ms=self._moment.offset_ms + moved_ms)
        self.tick()
        self._append(self._moment)
        try:
            self.chain.ledger.sync()
        except OSError as error:
            raise Stop(f"cannot write the ledger: {error}", EXIT_FAILED) from None

    @property
    def first_block(self) -> int:
        """The oldest slot of which everything that landed is still known."""
        return max(self.genesis.first_slot, self.history.first_slot)

    @property
    def unsaved(self) -> int:
        """Bytes of the ledger that the next start would have to run again, unless saved."""
        return self.chain.ledger.size - self.chain.store.head.position

    def begin_save(self) -> Future[None]:
        """Has a thread bring the store to this moment; `settle` when it is done."""
        ledger, before = self.chain.ledger, self.chain.store.head
        head = msgspec.structs.replace(
            before,
            position=ledger.size,
            first=ledger.droppable(HISTORY_BYTES, ledger.size),
            moment=self._moment,
            transactions=len(self.history),
        )
        return self._saving.begin(head, self.vm.kept, self.history)

    def settle(self) -> OSError | None:
        """Waits for a save that is under way; what the disk said if it refused."""
        return self._saving.settle()

    def save(self) -> None:
        """Brings the store to this moment, and waits for it; OSError when the disk refuses."""
        self.settle()
        self.begin_save()
        error = self.settle()
        if error is not None:
            raise error

    def restore(self, head: Head, accounts: Callable[[], Iterable[tuple[Pubkey, Account]]]) -> None:
        """Becomes what a snapshot holds, with the time of then and slots that go on from now.

        SnapshotError when it does not fit; then nothing has changed."""
        try:
            check(head.genesis, self.wanted)
        except Stop as differs:
            raise SnapshotError(f"the snapshot does not fit: {differs}") from None
        self.settle()
        self.tick()
        then, genesis = head.moment, head.genesis
        unix_time = max(then.unix_time, self._now(then.offset_ms))
        moment = _later(then, max(self.slot, then.slot), unix_time, genesis.slot_ms)
        try:
            vm = vm_of(genesis)
            vm.enter(moment.slot, moment.unix_time, moment.epoch_start)
            vm.load(accounts())
        except ValueError as error:
            raise SnapshotError(
                f"this VM does not take the snapshot ({error}); it was made with {genesis.vm}"
            ) from None

        store, ledger = self.chain.store, self.chain.ledger
        shared = shared_transactions(store.head, len(self.history), head)
        self._cover(moment.slot)
        ledger.begin_segment()
        restored = msgspec.structs.replace(
            head,
            position=ledger.size,
            first=store.head.first if shared else ledger.size,
            moment=moment,
            branches=(*head.branches, (secrets.token_hex(8), head.transactions)),
        )
        store.replace(restored, accounts(), shared)
        ledger.drop(restored.first)
        self._saving.changed.clear()
        self._take_up(restored)
        self.vm = vm
        self.clock.restart(moment.slot, genesis.slot_ms)
        self.hashes.advance(moment.slot)
        self.on_restored()

    def _rebuild(self) -> None:
        started = time.monotonic()
        self.settle()
        self.vm = replay(self.chain).vm
        self._enter_vm(self.vm)
        log.warning(
            "the VM panicked and was rebuilt from the store and the ledger (%d transactions, "
            "%.2f s)",
            len(self.history),
            time.monotonic() - started,
        )

    def close(self) -> None:
        """Ends the thread and closes the files, without a save."""
        self._saving.close()
        self.chain.close()


def _later(before: Moment, slot: int, unix_time: int, slot_ms: int) -> Moment:
    """A later moment; when an epoch began between the two, it says when."""
    epoch_start = before.epoch_start
    epoch, index = epoch_of(slot)
    if epoch != epoch_of(before.slot)[0]:
        epoch_start = unix_time - index * slot_ms // 1000
    return Moment(slot, unix_time, before.offset_ms, epoch_start)
