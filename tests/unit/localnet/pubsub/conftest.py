"""A chain with somebody who listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.localnet.pubsub.listening import Run, Work, station
from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank


@pytest.fixture
def run(open_bank: Callable[[], Bank], time: Time) -> Run:
    def runner(work: Work) -> None:
        async def whole() -> None:
            async with station(open_bank, time) as tuned:
                await work(tuned)

        asyncio.run(whole())

    return runner
