"""Which program code is callable: what a validator's program cache does and LiteSVM does not.

Code that was deployed, upgraded or extended in a slot is callable from the next slot, also through
another program. The VM keeps its own cache of compiled programs and fills it whenever a program
account is stored, looking for the code in the programdata account; without one it stores a
"closed" mark, and a call then fails exactly as on a validator ("Program is not deployed"). So code
is hidden by storing the program account while its programdata account is out of the way, and shown
in the next slot by storing the program account once more.

Account layouts: solana-loader-v3-interface, UpgradeableLoaderState.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from solders.account import Account
from solders.pubkey import Pubkey

UPGRADEABLE_LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")

_PROGRAM = (2).to_bytes(4, "little")
_PROGRAMDATA = (3).to_bytes(4, "little")
_NOBODY = Account(0, b"", Pubkey.default())


def code_address(account: Account) -> Pubkey | None:
    """Where a program account of the upgradeable loader has its code; None for other accounts."""
    if account.owner != UPGRADEABLE_LOADER:
        return None
    data = account.data[:36]
    return Pubkey.from_bytes(data[4:]) if data[:4] == _PROGRAM and len(data) == 36 else None


class AccountStore(Protocol):
    """The part of the VM that is needed here."""

    def get_account(self, address: Pubkey) -> Account | None: ...

    def set_account(self, address: Pubkey, account: Account) -> None: ...


class ProgramVisibility:
    """Hides new code until the next slot."""

    def __init__(self, vm: AccountStore) -> None:
        self._vm = vm
        self._hidden: set[Pubkey] = set()

    def enter_slot(self) -> None:
        """A new slot begins: what was hidden becomes callable."""
        for program in self._hidden:
            account = self._vm.get_account(program)
            if account is not None:
                self._vm.set_account(program, account)
        self._hidden.clear()

    def load(self, address: Pubkey, account: Account, slot: int) -> None:
        """Stores a program whose code is stored already."""
        where = code_address(account)
        if where is None:
            self._vm.set_account(address, account)
        else:
            self._store(address, account, where, slot, again=True)

    def after_transaction(self, keys: Sequence[Pubkey], slot: int) -> bool:
        """Hides what a transaction that could reach the loader has changed in this slot.

        Every transaction that changes code names the program account, so its keys are enough. A
        transaction that merely names a hidden program makes the VM store it again, hence the test
        on the hidden set. False when no code can have changed.
        """
        if UPGRADEABLE_LOADER not in keys and self._hidden.isdisjoint(keys):
            return False
        for key in keys:
            account = self._vm.get_account(key)
            if account is None:
                continue
            where = code_address(account)
            if where is not None:
                self._store(key, account, where, slot, again=False)
        return True

    def _store(
        self, program: Pubkey, account: Account, where: Pubkey, slot: int, *, again: bool
    ) -> None:
        """Stores a program account if its code must not be callable, or in any case (`again`).

        With its code account out of the way unless that holds code of an earlier slot: when it is
        closed, or what is left there is no code, the compiled code goes for good."""
        code = self._vm.get_account(where)
        head = b"" if code is None else code.data[:12]
        new = head[:4] == _PROGRAMDATA and int.from_bytes(head[4:], "little") == slot
        if code is None or (head[:4] == _PROGRAMDATA and not new):
            if again or code is None:
                self._vm.set_account(program, account)
            return
        self._vm.set_account(where, _NOBODY)
        self._vm.set_account(program, account)
        self._vm.set_account(where, code)
        if new:
            self._hidden.add(program)
