"""Clients that take a connection and do nothing with it."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# What they send before they fall silent.
SILENT = {
    "nothing": b"",
    "half a head": b"GET /health HTTP/1.1\r\nho",
    "one request": b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n",
}


@contextmanager
def crowd(port: int, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < count + 256:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 256, hard))
    with ExitStack() as open_ones:
        made = []
        for _ in range(count):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            one.sendall(sent)
            made.append(one)
        yield made


def health_seconds(port: int) -> float:
    """How long one more client waits for its answer."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 20) as one:
        one.sendall(SILENT["one request"])
        assert one.recv(64).startswith(b"HTTP/1.1 200 ")
    return time.monotonic() - started


def seconds_until_closed(one: socket.socket) -> float:
    """How long the server keeps a connection on which nothing comes; what it sends is dropped."""
    started = time.monotonic()
    one.settimeout(30)
    while one.recv(4096):
        continue
    return time.monotonic() - started
