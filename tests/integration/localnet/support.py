"""What the tests of the localnet share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.testbed.localnet import PROCESSED as PROCESSED
from tests.testbed.localnet import SOL as SOL
from tests.testbed.localnet import Localnet as Localnet
from tests.testbed.localnet import RpcFailure as RpcFailure
from tests.testbed.waiting import free_port as free_port


def in_loop(work: Callable[[], Any]) -> Any:
    """Runs a coroutine function to its end."""
    return asyncio.run(work())


class Start(Protocol):
    """The `start` fixture."""

    def __call__(self, state: Path | None = None, slot_ms: int = 50, *options: str) -> Localnet: ...


def newest_segment(state: Path) -> Path:
    """The file of the ledger that is written to."""
    return max((state / "ledger").iterdir())
