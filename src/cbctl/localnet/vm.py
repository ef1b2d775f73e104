"""LiteSVM with the manners of a validator.

Signatures, blockhash age and repeats are checked before a transaction comes here (see bank.py);
checking them once is what makes running a long log again fast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.message import MessageAddressTableLookup, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.solders import FeatureSet, LiteSVM  # solders.litesvm lacks set_precompiles
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo

from cbctl.localnet.hash_sysvars import HashSysvars
from cbctl.localnet.loaded import ACCOUNT_BYTES, TABLE_BYTES, CodeSizes
from cbctl.localnet.nonce import RECENT_BLOCKHASHES, SYSVARS, advanced, nonce_address
from cbctl.localnet.outcome import Found, Outcome, Simulation
from cbctl.localnet.panics import panics_named
from cbctl.localnet.programs import UPGRADEABLE_LOADER, ProgramVisibility
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
    LAMPORTS_PER_SIGNATURE,
    SLOT_HASHES,
    AnyMessage,
    Loaded,
    table_lookup,
    uses_slot_hashes,
    with_blockhash,
)

_GONE = Account(0, b"", Pubkey.default())

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

# One for all transactions without tables: a history has many.
_NOTHING_LOADED = Loaded([], [])


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
    vm.set_account(NATIVE_MINT, Account(_NATIVE_MINT_LAMPORTS, native_mint(), TOKEN))
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
        self._sysvars = HashSysvars(self._svm, blockhash_at)
        self._programs = ProgramVisibility(self._svm)
        self._code_sizes = CodeSizes(self._svm)
        self._built_in = {key for key, _ in self._svm.get_program_accounts(UPGRADEABLE_LOADER)}
        self._slot = -1
        self._unix_time = -1

    def enter(self, slot: int, unix_time: int, epoch_start: int) -> None:
        """Sets the clock; code that was deployed in an earlier slot becomes callable."""
        if (slot, unix_time) == (self._slot, self._unix_time):
            return
        with panics_named:
            self._svm.set_clock(_clock(slot, unix_time, epoch_start))
            if slot != self._slot:
                self._sysvars.enter(slot)
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
            found = self._find(message, static)
            keys, before = found.keys, found.before
            balance = self._svm.get_balance
            priority = self._take_priority_fee(message, keys[0], before[0])
            result = self._svm.send_transaction(transaction)
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
            landed = error is None or after[0] != before[0]
            if by_nonce and landed and error is not None:
                self._use_nonce(message)
            return Outcome(
                error,
                landed,
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
            transaction = self._prepared(transaction, message, message.account_keys)
            result = self._svm.simulate_transaction(transaction)
            return isinstance(result, SimulatedTransactionInfo)

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """Runs a transaction without a trace."""
        with panics_named:
            message = transaction.message
            static = message.account_keys
            transaction = self._prepared(transaction, message, static)
            found = self._find(message, static)
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
            return self._find(message, message.account_keys)

    def account(self, address: Pubkey) -> Account | None:
        """None also for an account without lamports, which does not exist on a cluster."""
        self._sysvars.provide(address)
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
            self._sysvars.provide(SLOT_HASHES)
            self._sysvars.provide(RECENT_BLOCKHASHES)
        accounts = self._svm.get_program_accounts(program)
        return sorted((item for item in accounts if item[1].lamports), key=lambda i: bytes(i[0]))

    def rent_exempt_minimum(self, data_length: int) -> int:
        """Lamports."""
        return self._svm.minimum_balance_for_rent_exemption(data_length)

    def given_accounts(self) -> set[Pubkey]:
        """Accounts that a VM begins with."""
        given = {NATIVE_MINT}
        for owner in _OWNERS_OF_GENESIS:
            given.update(key for key, _ in self._svm.get_program_accounts(owner))
        return given

    def _find(self, message: AnyMessage, static: list[Pubkey]) -> Found:
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

    def _prepared(
        self, transaction: VersionedTransaction, message: AnyMessage, keys: Sequence[Pubkey]
    ) -> VersionedTransaction:
        """The transaction as the VM must see it, with the sysvars that it reads: the VM takes the
        next value of a nonce from the transaction's blockhash, a validator from its newest one."""
        if uses_slot_hashes(message, keys):
            self._sysvars.provide(SLOT_HASHES)
        if RECENT_BLOCKHASHES not in keys:
            return transaction
        self._sysvars.provide(RECENT_BLOCKHASHES)
        return with_blockhash(transaction, self._blockhash_at(self._slot))

    def _use_nonce(self, message: AnyMessage) -> None:
        address = nonce_address(message)
        account = None if address is None else self._svm.get_account(address)
        if address is not None and account is not None:
            newest = self._blockhash_at(self._slot)
            used = advanced(account, newest, LAMPORTS_PER_SIGNATURE)
            self._svm.set_account(address, used)

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
