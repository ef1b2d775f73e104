"""A WebSocket client for tests, and one that speaks in raw frames."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.localnet.support import Localnet, RpcFailure
from websockets.sync.client import ClientConnection, connect

SECONDS = 60


class Listening:
    """Calls, and keeps the notifications that come in between."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._told: list[dict[str, Any]] = []
        self._last = 0

    def receive(self) -> Any:
        return json.loads(self.websocket.recv(timeout=SECONDS))

    def call(self, method: str, *params: object) -> Any:
        self._last += 1
        body = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": list(params)}
        self.websocket.send(json.dumps(body))
        while True:
            message = self.receive()
            if message.get("id") == self._last:
                if "error" in message:
                    raise RpcFailure(message["error"])
                return message["result"]
            self._told.append(message)

    def next(self, subscription: int) -> Any:
        """The next notification of a subscription, whole."""
        for index, message in enumerate(self._told):
            if message["params"]["subscription"] == subscription:
                return self._told.pop(index)
        while True:
            message = self.receive()
            if message.get("params", {}).get("subscription") == subscription:
                return message
            self._told.append(message)

    def result(self, subscription: int) -> Any:
        return self.next(subscription)["params"]["result"]


@contextmanager
def listening(net: Localnet) -> Iterator[Listening]:
    # No proxy: environments that name one mean the world outside.
    with connect(net.ws_url, compression=None, proxy=None, max_size=None) as websocket:
        yield Listening(websocket)


@contextmanager
def raw(net: Localnet) -> Iterator[socket.socket]:
    """A connection after the handshake."""
    with socket.create_connection(("127.0.0.1", net.port + 1), SECONDS) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        yield connection


def frame(payload: bytes, opcode: int = 1, *, first: int = 0x80, masked: bool = True) -> bytes:
    """A frame as clients send it, or with `first` and `masked` as nobody should."""
    length = len(payload)
    mark = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first | opcode, mark | length)
    else:
        head = struct.pack("!BBH", first | opcode, mark | 126, length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
