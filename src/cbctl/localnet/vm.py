"""LiteSVM with the manners of a validator.

Signatures, blockhash age and repeats are checked before a transaction comes here (see bank.py);
checking them once is what makes running a long log again fast.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.solders import FeatureSet, LiteSVM  # solders.litesvm lacks set_precompiles
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)

from cbctl.localnet.blockhash import MAX_AGE
from cbctl.localnet.errors import VmPanic
from cbctl.localnet.nonce import RECENT_BLOCKHASHES, SYSVARS, advanced, nonce_address
from cbctl.localnet.programs import UPGRADEABLE_LOADER, ProgramVisibility
from cbctl.localnet.slots import epoch_of
from cbctl.localnet.transactions import (
    LAMPORTS_PER_SIGNATURE,
    SLOT_HASHES,
    AnyMessage,
    Loaded,
    table_lookup,
    uses_slot_hashes,
    with_blockhash,
)

SLOT_HASHES_LENGTH = 512  # solana-slot-hashes MAX_ENTRIES
_GONE = Account(0, b"", Pubkey.default())


class Outcome(NamedTuple):
    """What running a transaction did.

    error     the TransactionError in serde's JSON form, None when it succeeded
    landed    whether the fee was taken; if not, nothing changed
    fee       lamports
    balances  lamports of `keys` before and after
    """

    error: object
    landed: bool
    fee: int
    meta: TransactionMetadata
    keys: list[Pubkey]
    loaded: Loaded
    before: list[int]
    after: list[int]


class Simulation(NamedTuple):
    """What running a transaction would do; `accounts` are those it would leave behind."""

    error: object
    meta: TransactionMetadata
    accounts: dict[Pubkey, Account]


class PanicsNamed:
    """Turns pyo3's PanicException, which is no Exception, into VmPanic.

    A class, because it wraps every transaction and contextlib's generator costs three times more.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise VmPanic(str(error)) from None


panics_named = PanicsNamed()


def features(activated: Iterable[str] = (), deactivated: Iterable[str] = ()) -> FeatureSet:
    """Mainnet's active features, some more and some fewer; ValueError for one that the VM does not
    know, or that is on or off anyway."""
    found = LiteSVM.mainnet_feature_set()
    on, off = set(map(str, found.active)), set(map(str, found.inactive))
    for feature in activated:
        _require(feature, off, "active already" if feature in on else "")
        found.activate(Pubkey.from_string(feature), 0)
    for feature in deactivated:
        _require(feature, on, "not active anyway" if feature in off else "")
        found.deactivate(Pubkey.from_string(feature))
    return found


def _require(feature: str, known: set[str], otherwise: str) -> None:
    if feature not in known:
        raise ValueError(f"feature '{feature}' is {otherwise or 'none that this VM knows'}")


def _new_vm(feature_set: FeatureSet) -> LiteSVM:
    """Without LiteSVM's airdrop account: its address is random, and the faucet is ours."""
    vm = LiteSVM.default()
    vm.set_feature_set(feature_set)
    vm.set_builtins()
    vm.set_precompiles()
    vm.set_sysvars()
    vm.set_feature_accounts()
    vm.set_default_programs()
    vm.set_sigverify(False)
    vm.set_blockhash_check(False)
    vm.set_transaction_history(0)
    return vm


def _clock(slot: int, unix_time: int, epoch_start: int) -> Clock:
    epoch = epoch_of(slot)[0]
    return Clock(
        slot=slot,
        epoch_start_timestamp=epoch_start,
        epoch=epoch,
        leader_schedule_epoch=epoch + 1,
        unix_timestamp=unix_time,
    )


class Vm:
    """One VM, its accounts and its clock. After a VmPanic it must be thrown away.

    Nothing else in it lasts from one transaction to the next: another one with the same features,
    clock and accounts is the same.
    """

    def __init__(
        self, blockhash_at: Callable[[int], Hash], feature_set: FeatureSet | None = None
    ) -> None:
        self._blockhash_at = blockhash_at
        with panics_named:
            self._svm = _new_vm(feature_set or features())
        self._programs = ProgramVisibility(self._svm)
        self._built_in = {key for key, _ in self._svm.get_program_accounts(UPGRADEABLE_LOADER)}
        self._slot = -1
        self._unix_time = -1
        self._hashes_slot = -1
        self._blockhashes_slot = -1

    def enter(self, slot: int, unix_time: int, epoch_start: int) -> None:
        """Sets the clock; code that was deployed in an earlier slot becomes callable."""
        if (slot, unix_time) == (self._slot, self._unix_time):
            return
        with panics_named:
            self._svm.set_clock(_clock(slot, unix_time, epoch_start))
            if slot != self._slot:
                self._programs.enter_slot()
        self._slot, self._unix_time = slot, unix_time

    def load(self, accounts: Iterable[tuple[Pubkey, Account]]) -> None:
        """Takes accounts in, programs last: the VM compiles a program when it is stored, and looks
        for the code in the account that holds it. ValueError for one that the VM refuses."""
        with panics_named:
            for address, account in accounts:
                try:
                    if account.executable:
                        self._programs.load(address, account, self._slot)
                    else:
                        self._svm.set_account(address, account)
                except Exception as error:  # LiteSVMError, which solders does not export
                    raise ValueError(f"account {address}: {error}") from None

    def execute(self, transaction: VersionedTransaction, by_nonce: bool = False) -> Outcome:
        """Runs a transaction for good.

        by_nonce  it came with a durable nonce, which is used up also when it fails"""
        with panics_named:
            # Each of these attributes makes a copy, so they are taken once.
            message = transaction.message
            static = message.account_keys
            transaction = self._prepared(transaction, message, static)
            loaded = self._loaded(message)
            keys = [*static, *loaded.writable, *loaded.readonly]
            balance = self._svm.get_balance
            before = [balance(key) or 0 for key in keys]
            priority = self._take_priority_fee(message, keys[0], before[0])
            result = self._svm.send_transaction(transaction)
            if priority and balance(keys[0]) == before[0] - priority:
                self._set_lamports(keys[0], before[0])  # not even the base fee was taken
            after = [balance(key) or 0 for key in keys]
            if isinstance(result, FailedTransactionMetadata):
                meta, error = result.meta(), _error_of(result)
            else:
                meta, error = result, None
                self._programs.after_transaction(keys, self._slot)
            landed = error is None or after[0] != before[0]
            if by_nonce and landed and error is not None:
                self._use_nonce(message)
            fee = meta.fee() + priority
            return Outcome(error, landed, fee, meta, keys, loaded, before, after)

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """Runs a transaction without a trace."""
        with panics_named:
            message = transaction.message
            transaction = self._prepared(transaction, message, message.account_keys)
            result = self._svm.simulate_transaction(transaction)
            if isinstance(result, SimulatedTransactionInfo):
                return Simulation(None, result.meta(), dict(result.post_accounts()))
            return Simulation(_error_of(result), result.meta(), {})

    def account(self, address: Pubkey) -> Account | None:
        """None also for an account without lamports, which does not exist on a cluster."""
        if address == SLOT_HASHES:
            self._provide_slot_hashes()
        elif address == RECENT_BLOCKHASHES:
            self._provide_blockhashes()
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def kept(self, address: Pubkey) -> Account | None:
        """What a store has to keep of an account. None: nothing, without it it is gone; a program
        that every VM begins with is kept as an account without lamports when it was closed."""
        account = self.account(address)
        return _GONE if account is None and address in self._built_in else account

    def balance(self, address: Pubkey) -> int:
        """Lamports."""
        return self._svm.get_balance(address) or 0

    def program_accounts(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account that a program owns, in order of address."""
        if program == SYSVARS:
            self._provide_slot_hashes()
            self._provide_blockhashes()
        accounts = self._svm.get_program_accounts(program)
        return sorted((item for item in accounts if item[1].lamports), key=lambda i: bytes(i[0]))

    def rent_exempt_minimum(self, data_length: int) -> int:
        """Lamports."""
        return self._svm.minimum_balance_for_rent_exemption(data_length)

    def _take_priority_fee(self, message: AnyMessage, payer: Pubkey, lamports: int) -> int:
        """Takes what a version 1 header offers, which the VM does not; returns what was taken.

        Leaves a lamport to a payer who cannot pay: the VM then says InsufficientFundsForFee, while
        an empty account would not exist at all.
        """
        priority = message.config.priority_fee or 0 if isinstance(message, MessageV1) else 0
        priority = max(0, min(priority, lamports - 1))
        if priority:
            self._set_lamports(payer, lamports - priority)
        return priority

    def _set_lamports(self, address: Pubkey, lamports: int) -> None:
        account = self._svm.get_account(address)
        if account is not None:
            changed = Account(
                lamports, account.data, account.owner, account.executable, account.rent_epoch
            )
            self._svm.set_account(address, changed)

    def _prepared(
        self, transaction: VersionedTransaction, message: AnyMessage, keys: Sequence[Pubkey]
    ) -> VersionedTransaction:
        """Fills the sysvars that change with every slot for those who read them: 512 hashes per
        slot are too many for everyone. The transaction as the VM must see it: the VM takes the
        next value of a nonce from the transaction's blockhash, a validator from its newest one."""
        if uses_slot_hashes(message, keys):
            self._provide_slot_hashes()
        if RECENT_BLOCKHASHES not in keys:
            return transaction
        self._provide_blockhashes()
        return with_blockhash(transaction, self._blockhash_at(self._slot))

    def _provide_slot_hashes(self) -> None:
        if self._hashes_slot != self._slot:
            newest = self._slot - 1
            slots = range(newest, newest - SLOT_HASHES_LENGTH, -1)
            self._svm.set_slot_hashes([(s, self._blockhash_at(s)) for s in slots])
            self._hashes_slot = self._slot

    def _provide_blockhashes(self) -> None:
        """RecentBlockhashes: u64 length, then hash and u64 fee, newest first."""
        if self._blockhashes_slot != self._slot:
            slots = range(self._slot, self._slot - MAX_AGE, -1)
            fee = struct.pack("<Q", LAMPORTS_PER_SIGNATURE)
            entries = b"".join(bytes(self._blockhash_at(slot)) + fee for slot in slots)
            data = struct.pack("<Q", MAX_AGE) + entries
            self._svm.set_account(RECENT_BLOCKHASHES, Account(1, data, SYSVARS))
            self._blockhashes_slot = self._slot

    def _use_nonce(self, message: AnyMessage) -> None:
        address = nonce_address(message)
        account = None if address is None else self._svm.get_account(address)
        if address is not None and account is not None:
            newest = self._blockhash_at(self._slot)
            used = advanced(account, newest, LAMPORTS_PER_SIGNATURE)
            self._svm.set_account(address, used)

    def _loaded(self, message: AnyMessage) -> Loaded:
        loaded = Loaded([], [])
        if isinstance(message, MessageV0):
            for lookup in message.address_table_lookups:
                table = self._svm.get_account(lookup.account_key)
                if table is not None:
                    data = bytes(table.data)
                    loaded.writable.extend(table_lookup(data, bytes(lookup.writable_indexes)))
                    loaded.readonly.extend(table_lookup(data, bytes(lookup.readonly_indexes)))
        return loaded


def _error_of(failed: FailedTransactionMetadata) -> object:
    return json.loads(failed.to_json())["err"]
