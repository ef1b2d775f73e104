"""Ports that nobody has, and waiting for what comes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

T = TypeVar("T")


def free_port(neighbours: int = 0) -> int:
    """A port of loopback that is free, and as many after it."""
    for _ in range(100):
        with ExitStack() as open_ones:
            first = open_ones.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for offset in range(1, neighbours + 1):
                    open_ones.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError("no free ports side by side")


def wait_for(
    probe: Callable[[], T | None],
    seconds: float = 10.0,
    what: str = "it",
    *,
    passing: tuple[type[Exception], ...] = (OSError,),
) -> T:
    """The first true value of `probe`; exceptions of the kinds `passing` count as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if found := probe():
                return found
        except passing as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s: {last!r}")
