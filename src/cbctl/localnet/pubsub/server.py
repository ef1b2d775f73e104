"""The WebSocket itself: the `websockets` package in the process's one event loop.

Granian's own WebSocket was as fast, but takes messages of any size and cannot say why it closes.
"""

from __future__ import annotations

import asyncio
import functools
import http
import logging
import socket
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from cbctl.localnet.access import Access
from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import EXIT_FAILED, Stop
from cbctl.localnet.ports import BACKLOG
from cbctl.localnet.pubsub.methods import Calls
from cbctl.localnet.pubsub.notifier import Notifier
from cbctl.localnet.rpc.dispatch import respond

log = logging.getLogger(__name__)

# agave, rpc/src/rpc_pubsub_service.rs: what works here works on a cluster.
MAX_MESSAGE_BYTES = 4_096

# What may wait for a client that does not read, beside the one message that is being added; the
# system's own buffers, which hold some megabytes, come first.
MAX_UNREAD_BYTES = 1024 * 1024
MAX_UNREAD_BYTES_OF_ALL = 64 * 1024 * 1024

# For the handshake; and between the server's pings, and until a client has to answer one.
HANDSHAKE_SECONDS = 10
PING_SECONDS = 20
CLOSE_SECONDS = 5

# What the package says of each connection, and of each that is no WebSocket at all.
_quiet = logging.getLogger(f"{__name__}.websockets")
_quiet.setLevel(logging.CRITICAL)


class _Connection(ServerConnection):
    """A connection that does not fill the memory: neither as one of too many nor by not reading.

    most  how many there may be, with those that have not shaken hands yet
    """

    def __init__(self, most: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self.server.handler_tasks) > self._most:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.unread > MAX_UNREAD_BYTES:  # pings are answered without the handler
            self.transport.abort()

    @property
    def unread(self) -> int:
        """Bytes that the client has not taken."""
        return self.transport.get_write_buffer_size()


class _Client:
    """The listener behind a connection."""

    def __init__(self, connection: _Connection, everybody: set[_Client]) -> None:
        self._connection = connection
        self._everybody = everybody
        self._closing: asyncio.Task[None] | None = None

    @property
    def unread(self) -> int:
        return self._connection.unread

    def send(self, message: bytes) -> None:
        """Written at once; who has too much unread is closed instead."""
        unread = self.unread
        if unread > MAX_UNREAD_BYTES:
            self.close(f"too slow: {unread} bytes of notifications are unread")
        elif unread and self._too_much(len(message)):
            self.close(f"too slow: {unread} bytes are unread, and so are those of others")
        else:
            broadcast([self._connection], message, text=True)

    def _too_much(self, length: int) -> bool:
        waiting = sum(client.unread for client in self._everybody)
        return waiting + length > MAX_UNREAD_BYTES_OF_ALL

    def close(self, reason: str) -> None:
        """The close frame comes after what the client has not read; it has `CLOSE_SECONDS`."""
        if self._closing is None:
            log.warning("a WebSocket client was closed: %s", reason)
            self._closing = asyncio.ensure_future(self.end(CloseCode.TRY_AGAIN_LATER, reason))

    async def end(self, code: CloseCode, reason: str) -> None:
        """Returns when the connection is closed; who does not read in time is cut off."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close(code, reason)
        except TimeoutError:
            self._connection.transport.abort()


class WebSocketApp:
    """Serves every connection until `stop` is set."""

    def __init__(
        self,
        bank: Bank,
        notifier: Notifier,
        access: Access,
        connections: int,
        fatal: Callable[[Stop], None],
    ) -> None:
        self._most = connections
        self._bank = bank
        self._notifier = notifier
        self._access = access
        self._fatal = fatal
        self._clients: set[_Client] = set()

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Ends with every connection closed."""
        options: dict[str, Any] = {
            "create_connection": functools.partial(_Connection, 2 * self._most),
            "process_request": self._welcome,
            "server_header": None,
            "compression": None,
            "open_timeout": HANDSHAKE_SECONDS,
            "ping_interval": PING_SECONDS,
            "ping_timeout": PING_SECONDS,
            "close_timeout": CLOSE_SECONDS,
            "max_size": MAX_MESSAGE_BYTES,
            "backlog": BACKLOG,
            "logger": _quiet,
        }
        server = await serve_websocket(self._talk, sock=listener, **options)
        await stop.wait()
        server.close(close_connections=False)  # it would wait for those who do not read
        ends = (client.end(CloseCode.GOING_AWAY, "the localnet stops") for client in self._clients)
        await asyncio.gather(*ends)
        await server.wait_closed()

    def _welcome(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets the handshake go on."""
        hosts, origins = (request.headers.get_all(name) for name in ("host", "origin"))
        host = hosts[0] if len(hosts) == 1 else None
        origin = None if not origins else origins[0] if len(origins) == 1 else "several"
        if refusal := self._access.refusal(host, origin):
            return connection.respond(http.HTTPStatus.FORBIDDEN, refusal)
        if len(self._clients) >= self._most:
            full = f"There are {self._most} connections, no more fit\n"
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, full)
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        assert isinstance(connection, _Connection)
        client = _Client(connection, self._clients)
        call = Calls(self._bank, self._notifier, client)
        self._clients.add(client)
        try:
            while True:
                message = await connection.recv(decode=False)
                if answer := respond(call, message):
                    client.send(answer)
                await asyncio.sleep(0)  # a client with much to say does not keep others waiting
        except ConnectionClosed:
            return
        except (Stop, OSError) as error:
            # OSError: the state folder took no reservation of slots.
            self._fatal(
                error if isinstance(error, Stop) else Stop(f"cannot go on: {error}", EXIT_FAILED)
            )
        except Exception:  # a bug of ours; the package would not say it aloud
            log.exception("a WebSocket client's connection failed")
        finally:
            self._clients.discard(client)
            self._notifier.drop(client)
