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
from solders.message import MessageAddressTableLookup, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.solders import LiteSVM  # the wrapper in solders.litesvm lacks set_precompiles
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import (
    FailedTransactionMetadata,
    SimulatedTransactionInfo,
    TransactionMetadata,
)

from cbctl.localnet.errors import VmPanic
from cbctl.localnet.loaded import ACCOUNT_BYTES, TABLE_BYTES, CodeSizes
from cbctl.localnet.programs import ProgramVisibility
from cbctl.localnet.slots import epoch_of
from cbctl.localnet.tokens import (
    NATIVE_MINT,
    TOKEN,
    TOKEN_PROGRAMS,
    TokenBalance,
    native_mint,
    token_balances,
)
from cbctl.localnet.transactions import (
    SLOT_HASHES,
    AnyMessage,
    Loaded,
    table_lookup,
    uses_slot_hashes,
)

SLOT_HASHES_LENGTH = 512  # solana-slot-hashes MAX_ENTRIES

_NATIVE_MINT_LAMPORTS = 1_000_000_000

# Whose accounts a new VM has: loaders, built-in programs, sysvars, features, the stake config.
_OWNERS_OF_GENESIS = tuple(
    map(
        Pubkey.from_string,
        (
            "NativeLoader1111111111111111111111111111111",
            "BPFLoader1111111111111111111111111111111111",
            "BPFLoader2111111111111111111111111111111111",
            "BPFLoaderUpgradeab1e11111111111111111111111",
            "Sysvar1111111111111111111111111111111111111",
            "Feature111111111111111111111111111111111111",
            "Config1111111111111111111111111111111111111",
        ),
    )
)


class Found(NamedTuple):
    """What a transaction finds before it runs.

    keys    all that it names, those out of lookup tables (`loaded`) last
    before  their lamports
    tokens  what those hold that are token accounts
    size    bytes of all accounts that it loads
    """

    keys: list[Pubkey]
    loaded: Loaded
    before: list[int]
    tokens: Sequence[TokenBalance]
    size: int


class Outcome(NamedTuple):
    """What running a transaction did.

    error         the TransactionError in serde's JSON form, None when it succeeded
    landed        whether the fee was taken; if not, nothing changed
    fee           lamports
    after         lamports of `keys`
    tokens_*      what those of `keys` held that are token accounts
    loaded_bytes  size of all accounts that it loaded
    """

    error: object
    landed: bool
    fee: int
    meta: TransactionMetadata
    keys: list[Pubkey]
    loaded: Loaded
    before: list[int]
    after: list[int]
    tokens_before: Sequence[TokenBalance]
    tokens_after: Sequence[TokenBalance]
    loaded_bytes: int


class Simulation(NamedTuple):
    """What running a transaction would do.

    fee       None when it would not have come so far as to pay one
    accounts  what it would leave behind
    """

    error: object
    fee: int | None
    meta: TransactionMetadata
    found: Found
    after: list[int]
    tokens_after: Sequence[TokenBalance]
    accounts: dict[Pubkey, Account]


# One for all transactions without tables: a history has many.
_NOTHING_LOADED = Loaded([], [])


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
    vm.set_account(NATIVE_MINT, Account(_NATIVE_MINT_LAMPORTS, native_mint(), TOKEN))
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
        self._funded: list[Pubkey] = []
        self._programs = ProgramVisibility(self._svm)
        self._code_sizes = CodeSizes(self._svm)
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
            message = transaction.message
            found = self._find(message)
            keys, before = found.keys, found.before
            priority = self._take_priority_fee(message, keys[0], before[0])
            result = self._svm.send_transaction(transaction)
            balance = self._svm.get_balance
            if priority and balance(keys[0]) == before[0] - priority:
                self._set_lamports(keys[0], before[0])  # not even the base fee was taken
            after = [balance(key) or 0 for key in keys]
            tokens_after = found.tokens
            if isinstance(result, FailedTransactionMetadata):
                meta, error = result.meta(), _error_of(result)
            else:
                meta, error = result, None
                tokens_after = _tokens(keys, self._svm.get_account)
                if self._programs.after_transaction(keys, self._slot):
                    self._code_sizes.forget()
            return Outcome(
                error,
                error is None or after[0] != before[0],
                meta.fee() + priority,
                meta,
                keys,
                found.loaded,
                before,
                after,
                found.tokens,
                tokens_after,
                found.size,
            )

    def would_succeed(self, transaction: VersionedTransaction) -> bool:
        """Runs a transaction without a trace, and looks at nothing else."""
        with panics_named:
            message = transaction.message
            self._provide_slot_hashes(message, message.account_keys)
            result = self._svm.simulate_transaction(transaction)
            return isinstance(result, SimulatedTransactionInfo)

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """Runs a transaction without a trace."""
        with panics_named:
            message = transaction.message
            found = self._find(message)
            result = self._svm.simulate_transaction(transaction)
            meta, error, accounts = result.meta(), None, {}
            if isinstance(result, SimulatedTransactionInfo):
                accounts = dict(result.post_accounts())
            else:
                error = _error_of(result)
            # Whatever is run says so in the log.
            ran = error is None or bool(meta.logs())
            fee = meta.fee() + _priority_fee(message) if ran else None
            after, tokens_after = list(found.before), found.tokens
            if error is None:
                # Built-in programs are not among what it leaves behind.
                after = [
                    lamports if (left := accounts.get(key)) is None else left.lamports
                    for key, lamports in zip(found.keys, found.before, strict=True)
                ]
                after[0] -= _priority_fee(message)  # which the VM does not know
                tokens_after = _tokens(found.keys, lambda k: accounts.get(k) or self.account(k))
            elif fee is not None:
                after[0] -= fee
            return Simulation(error, fee, meta, found, after, tokens_after, accounts)

    def find(self, message: AnyMessage) -> Found:
        """What a message would find if it ran now."""
        with panics_named:
            return self._find(message)

    def account(self, address: Pubkey) -> Account | None:
        """None also for an account without lamports, which does not exist on a cluster."""
        if address == SLOT_HASHES and self._hashes_slot != self._slot:
            self._fill_slot_hashes()
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
        self._funded.append(address)

    def given_accounts(self) -> set[Pubkey]:
        """Accounts that may be there without any transaction having named them."""
        given = {NATIVE_MINT, *self._funded}
        for owner in _OWNERS_OF_GENESIS:
            given.update(key for key, _ in self._svm.get_program_accounts(owner))
        return given

    def _find(self, message: AnyMessage) -> Found:
        # Each attribute of a message makes a copy, so it is taken once.
        static = message.account_keys
        self._provide_slot_hashes(message, static)
        tables = message.address_table_lookups if isinstance(message, MessageV0) else []
        loaded = self._from_tables(tables) if tables else _NOTHING_LOADED
        keys = [*static, *loaded.writable, *loaded.readonly] if tables else static
        get_account = self._svm.get_account
        before, size = [], len(tables) * TABLE_BYTES
        for key in keys:
            account = get_account(key)
            if account is None:
                before.append(0)
                continue
            before.append(account.lamports)
            size += ACCOUNT_BYTES + len(account.data)
            if account.executable:
                size += self._code_sizes.of(key, account, keys)
        return Found(keys, loaded, before, _tokens(keys, get_account), size)

    def _take_priority_fee(self, message: AnyMessage, payer: Pubkey, lamports: int) -> int:
        """Takes what a version 1 header offers, which the VM does not; returns what was taken.

        Leaves a lamport to a payer who cannot pay: the VM then says InsufficientFundsForFee, while
        an empty account would not exist at all.
        """
        priority = max(0, min(_priority_fee(message), lamports - 1))
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
        if self._hashes_slot != self._slot and uses_slot_hashes(message, keys):
            self._fill_slot_hashes()

    def _fill_slot_hashes(self) -> None:
        newest = self._slot - 1
        self._svm.set_slot_hashes(
            [(s, self._blockhash_at(s)) for s in range(newest, newest - SLOT_HASHES_LENGTH, -1)]
        )
        self._hashes_slot = self._slot

    def _from_tables(self, lookups: Sequence[MessageAddressTableLookup]) -> Loaded:
        loaded = Loaded([], [])
        for lookup in lookups:
            table = self._svm.get_account(lookup.account_key)
            if table is not None:
                data = table.data
                loaded.writable.extend(table_lookup(data, bytes(lookup.writable_indexes)))
                loaded.readonly.extend(table_lookup(data, bytes(lookup.readonly_indexes)))
        return loaded


def _error_of(failed: FailedTransactionMetadata) -> object:
    return json.loads(failed.to_json())["err"]


def _priority_fee(message: AnyMessage) -> int:
    """What a version 1 header offers."""
    return message.config.priority_fee or 0 if isinstance(message, MessageV1) else 0


def _tokens(
    keys: list[Pubkey], account_of: Callable[[Pubkey], Account | None]
) -> Sequence[TokenBalance]:
    """Nothing can have changed a token account that does not name its program."""
    return () if TOKEN_PROGRAMS.isdisjoint(keys) else token_balances(keys, account_of)
