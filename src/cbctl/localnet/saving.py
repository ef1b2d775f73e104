"""Brings the store up to where the ledger is, in a thread, one save at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.chain import Chain
from cbctl.localnet.history import History
from cbctl.localnet.nonce import SYSVARS
from cbctl.localnet.store import Batch, Head

log = logging.getLogger(__name__)


class _UnderWay(NamedTuple):
    saved: Future[None]
    history: History
    changed: set[Pubkey]


class Saving:
    """
    changed  accounts that are not the same as in the store any more
    """

    def __init__(self, chain: Chain) -> None:
        self.changed: set[Pubkey] = set()
        self._chain = chain
        self._thread = ThreadPoolExecutor(1, "save")
        self._under_way: _UnderWay | None = None

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
        self._under_way = _UnderWay(saved, history, changed)
        return saved

    def _save(self, batch: Batch) -> None:
        self._chain.ledger.sync()
        self._chain.store.save(batch)

    def unsaved(self) -> set[Pubkey]:
        """Accounts that may not be in the store yet."""
        return self.changed if self._under_way is None else self.changed | self._under_way.changed

    def settle(self) -> OSError | None:
        """Waits for a save that is under way. When the disk refused it, nothing is lost: the ledger
        has it all, and the next save takes it in too."""
        if self._under_way is None:
            return None
        done, self._under_way = self._under_way, None
        try:
            done.saved.result()
        except OSError as error:
            done.history.not_saved()
            self.changed |= done.changed
            log.warning("cannot save the store: %s", error)
            return error
        done.history.saved()
        self._chain.ledger.drop(self._chain.store.head.first)
        return None

    def close(self) -> None:
        """Ends the thread, after a save that is under way."""
        self._thread.shutdown()
