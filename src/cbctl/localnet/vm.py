"""LiteSVM with the manners of a validator.

Signatures, blockhash age and repeats are checked before a transaction comes here (see bank.py);
checking them once is what makes running a long log again fast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.solders import LiteSVM  # the wrapper in solders.litesvm lacks set_precompiles
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)

from cbctl.localnet.errors import VmPanic
from cbctl.localnet.programs import ProgramVisibility
from cbctl.localnet.slots import epoch_of
from cbctl.localnet.transactions import AnyMessage, Loaded, table_lookup, uses_slot_hashes

SLOT_HASHES_LENGTH = 512  # solana-slot-hashes MAX_ENTRIES


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


def _new_vm(unix_time: int) -> LiteSVM:
    """Without LiteSVM's airdrop account: its address is random, and the faucet is ours."""
    vm = LiteSVM.default()
    vm.set_feature_set(LiteSVM.mainnet_feature_set())
    vm.set_builtins()
    vm.set_precompiles()
    vm.set_sysvars()
    vm.set_feature_accounts()
    vm.set_default_programs()
    vm.set_sigverify(False)
    vm.set_blockhash_check(False)
    vm.set_transaction_history(0)
    clock = vm.get_clock()
    vm.set_clock(_clock(clock.slot, unix_time, unix_time))
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
    """One VM from the genesis on. After a VmPanic it must be thrown away."""

    def __init__(self, genesis_time: int, blockhash_at: Callable[[int], Hash]) -> None:
        self._genesis_time = genesis_time
        self._blockhash_at = blockhash_at
        with panics_named:
            self._svm = _new_vm(genesis_time)
        self._programs = ProgramVisibility(self._svm)
        self._slot = -1
        self._unix_time = -1
        self._nonce_slot = -1
        self._hashes_slot = -1

    def enter(self, slot: int, unix_time: int) -> None:
        """Sets the clock; code that was deployed in an earlier slot becomes callable."""
        if (slot, unix_time) == (self._slot, self._unix_time):
            return
        with panics_named:
            self._svm.set_clock(_clock(slot, unix_time, self._genesis_time))
            if slot != self._slot:
                self._programs.enter_slot()
        self._slot, self._unix_time = slot, unix_time

    def execute(self, transaction: VersionedTransaction) -> Outcome:
        """Runs a transaction for good."""
        with panics_named:
            if self._nonce_slot != self._slot:
                # Durable nonces take their value from here. Moved only by transactions, so that
                # running the log again moves it just as often.
                self._svm.expire_blockhash()
                self._nonce_slot = self._slot
            # Each of these attributes makes a copy, so they are taken once.
            message = transaction.message
            static = message.account_keys
            self._provide_slot_hashes(message, static)
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
            fee = meta.fee() + priority
            return Outcome(error, landed, fee, meta, keys, loaded, before, after)

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """Runs a transaction without a trace."""
        with panics_named:
            message = transaction.message
            self._provide_slot_hashes(message, message.account_keys)
            result = self._svm.simulate_transaction(transaction)
            if isinstance(result, SimulatedTransactionInfo):
                return Simulation(None, result.meta(), dict(result.post_accounts()))
            return Simulation(_error_of(result), result.meta(), {})

    def account(self, address: Pubkey) -> Account | None:
        """None also for an account without lamports, which does not exist on a cluster."""
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def balance(self, address: Pubkey) -> int:
        """Lamports."""
        return self._svm.get_balance(address) or 0

    def program_accounts(self, program: Pubkey) -> list[tuple[Pubkey, Account]]:
        """Every account that a program owns, in order of address."""
        accounts = self._svm.get_program_accounts(program)
        return sorted((item for item in accounts if item[1].lamports), key=lambda i: bytes(i[0]))

    def rent_exempt_minimum(self, data_length: int) -> int:
        """Lamports."""
        return self._svm.minimum_balance_for_rent_exemption(data_length)

    def fund(self, address: Pubkey, lamports: int) -> None:
        """Creates an account out of nothing; only the genesis does that."""
        with panics_named:
            self._svm.set_account(address, Account(lamports, b"", Pubkey.default()))

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

    def _provide_slot_hashes(self, message: AnyMessage, keys: Sequence[Pubkey]) -> None:
        """Fills SlotHashes for those who read it: 512 hashes per slot are too many for everyone."""
        if self._hashes_slot == self._slot or not uses_slot_hashes(message, keys):
            return
        newest = self._slot - 1
        self._svm.set_slot_hashes(
            [(s, self._blockhash_at(s)) for s in range(newest, newest - SLOT_HASHES_LENGTH, -1)]
        )
        self._hashes_slot = self._slot

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
