"""Brings the store up to where the ledger is, in a thread, one save at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.chain import Chain
from cbctl.localnet.errors import EXIT_FAILED, Stop
from cbctl.localnet.history import History
from cbctl.localnet.nonce import SYSVARS
from cbctl.localnet.store import Batch, Head


class Saving:
    """
    changed  accounts that are not the same as in the store any more
    """

    def __init__(self, chain: Chain) -> None:
        self.changed: set[Pubkey] = set()
        self._chain = chain
        self._thread = ThreadPoolExecutor(1, "save")
        self._under_way: tuple[Future[None], History] | None = None

    def begin(
        self, head: Head, kept: Callable[[Pubkey], Account | None], history: History
    ) -> Future[None]:
        """Has the thread save what is true now; `settle` when it is done."""
        assert self._under_way is None
        changed, self.changed = self.changed, set()
        accounts = [
            (key, account)
            for key in changed
            if (account := kept(key)) is None or account.owner != SYSVARS
        ]
        batch = Batch(head, accounts, history.begin_saving())
        saved = self._thread.submit(self._save, batch)
        self._under_way = saved, history
        return saved

    def _save(self, batch: Batch) -> None:
        self._chain.ledger.sync()
        self._chain.store.save(batch)

    def settle(self) -> None:
        """Waits for a save that is under way; Stop when it failed."""
        if self._under_way is None:
            return
        (saved, history), self._under_way = self._under_way, None
        try:
            saved.result()
        except OSError as error:
            raise Stop(f"cannot write the state folder: {error}", EXIT_FAILED) from None
        history.saved()
        self._chain.ledger.drop(self._chain.store.head.first)

    def close(self) -> None:
        """Ends the thread, after a save that is under way."""
        self._thread.shutdown()
