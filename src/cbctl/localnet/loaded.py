"""How many bytes of accounts a transaction loads, as validators count them (SIMD-0186)."""

from __future__ import annotations

from collections.abc import Sequence

from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.programs import AccountStore, code_address

ACCOUNT_BYTES = 64  # for every account, on top of its data
TABLE_BYTES = 8_248  # for every lookup table


class CodeSizes:
    """A program counts with its code, which is in an account that nobody names.

    Remembers what it has seen: looking at every call would cost too much.
    """

    def __init__(self, vm: AccountStore) -> None:
        self._vm = vm
        self._known: dict[Pubkey, tuple[Pubkey | None, int]] = {}

    def of(self, program: Pubkey, account: Account, keys: Sequence[Pubkey]) -> int:
        """Bytes behind an executable account.

        keys  all that the transaction names: code that is among them is counted there
        """
        known = self._known.get(program)
        if known is None:
            known = self._known[program] = self._look(account)
        address, size = known
        return 0 if address is None or address in keys else size

    def forget(self) -> None:
        """Code may have changed."""
        self._known.clear()

    def _look(self, account: Account) -> tuple[Pubkey | None, int]:
        address = code_address(account)
        code = None if address is None else self._vm.get_account(address)
        return address, 0 if code is None else ACCOUNT_BYTES + len(code.data)
