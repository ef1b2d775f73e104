"""A listener that keeps what it is told, and a notifier that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank
from cbctl.localnet.pubsub.methods import Calls
from cbctl.localnet.pubsub.notifier import Notifier

Work = Callable[["Station"], Coroutine[Any, Any, None]]
Run = Callable[[Work], None]


class Ear:
    """Hears everything; `closed` are the reasons it was given."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: list[str] = []

    def send(self, message: bytes) -> None:
        self.heard.append(json.loads(message))

    def close(self, reason: str) -> None:
        self.closed.append(reason)

    def results(self, subscription: int) -> list[Any]:
        """What one subscription told, in order."""
        told = [item["params"] for item in self.heard]
        return [item["result"] for item in told if item["subscription"] == subscription]


class Watched(Notifier):
    """`idle` is set while it waits for something to tell."""

    def __init__(self, bank: Bank) -> None:
        super().__init__(bank)
        self.idle = asyncio.Event()

    async def _pause(self) -> None:
        self.idle.set()
        await super()._pause()
        self.idle.clear()


class Station:
    """A bank, its notifier and one listener."""

    def __init__(self, bank: Bank, notifier: Watched, time: Time) -> None:
        self.bank, self.notifier, self.time = bank, notifier, time
        self.ear = Ear()
        self._call = Calls(bank, notifier, self.ear)

    def subscribe(self, kind: str, *params: object) -> int:
        number = self._call(f"{kind}Subscribe", list(params))
        assert isinstance(number, int)
        return number

    def unsubscribe(self, kind: str, number: int) -> object:
        return self._call(f"{kind}Unsubscribe", [number])

    def to_disk(self) -> None:
        self.bank.chain.ledger.sync()

    async def told(self) -> None:
        """Lets the notifier tell what there is to tell now."""
        self.notifier.idle.clear()
        self.notifier._wake.set()
        await asyncio.wait_for(self.notifier.idle.wait(), 30)

    async def slots(self, count: int) -> None:
        self.time.slots(count)
        await self.told()


@asynccontextmanager
async def station(open_bank: Callable[[], Bank], time: Time) -> AsyncIterator[Station]:
    bank = open_bank()
    notifier = Watched(bank)
    running = asyncio.ensure_future(notifier.run())
    try:
        yield Station(bank, notifier, time)
    finally:
        running.cancel()
        await asyncio.wait({running})
