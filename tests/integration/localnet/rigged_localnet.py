"""A localnet whose clock is set by a file and whose VM can be broken:
`python rigged_localnet.py CLOCK POISON` and the arguments of the localnet.

    CLOCK   a file that says by how many seconds the clock is wrong
    POISON  address of a program: whoever calls it makes the native code inside the VM panic, as an
            account does that is taken away under a compiled program
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

CLOCK, POISON = Path(sys.argv.pop(1)), sys.argv.pop(1)

real = time.time
time.time = lambda: real() + float(CLOCK.read_text())

from solders.account import Account  # noqa: E402 - after the clock, which is bound when imported
from solders.pubkey import Pubkey  # noqa: E402
from solders.transaction import VersionedTransaction  # noqa: E402

from cbctl.localnet.__main__ import main  # noqa: E402
from cbctl.localnet.outcome import Outcome  # noqa: E402
from cbctl.localnet.vm import Vm  # noqa: E402

execute = Vm.execute


def executed(self: Vm, transaction: VersionedTransaction, by_nonce: bool = False) -> Outcome:
    poison = Pubkey.from_string(POISON)
    if poison in transaction.message.account_keys:
        self._svm.set_account(poison, Account(0, b"", Pubkey.default()))
    return execute(self, transaction, by_nonce)


Vm.execute = executed  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
