"""HTTP in front of the dispatcher: granian inside this process, one event loop, no worker.

Granian was the fastest of what the product already installs: 64 connections got 9,500 answers a
second from it and 3,200 from h11. Its hyper core parses HTTP, we see only whole requests.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from cbctl.localnet.access import Access
from cbctl.localnet.errors import EXIT_FAILED, INVALID_REQUEST, RpcError, Stop
from cbctl.localnet.ports import BACKLOG
from cbctl.localnet.rpc.dispatch import error_body

# agave, rpc/src/rpc_service.rs MAX_REQUEST_BODY_SIZE: what works here works on a cluster.
MAX_BODY_BYTES = 50 * 1024

# How long a client may take for the next head or for a body. Whoever takes longer, or has nothing
# to say, loses the connection, because granian serves so many at a time and lets the rest wait.
CLIENT_SECONDS = 10

_JSON = [("content-type", "application/json")]
_TEXT = [("content-type", "text/plain; charset=utf-8")]
_CLOSE = [("connection", "close")]


class RpcApp:
    """The RSGI application.

    room  waited for before a request is carried out: whoever listens on the WebSocket is heard too
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        access: Access,
        room: Callable[[], Awaitable[None]],
        fatal: Callable[[Stop], None],
    ) -> None:
        self._answer = answer
        self._access = access
        self._room = room
        self._fatal = fatal

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(400)
            return
        headers = scope.headers
        origin = headers.get("origin")
        refusal = self._access.refusal(headers.get("host") or scope.authority, origin)
        if refusal:
            protocol.response_str(403, _TEXT, refusal)
            return
        allow = self._access.headers(origin)
        if scope.method == "GET" and scope.path == "/health":
            protocol.response_str(200, [*_TEXT, *allow], "ok")
        elif scope.method == "OPTIONS" and allow:
            protocol.response_empty(204, self._access.preflight(origin))
        elif scope.method != "POST":
            protocol.response_str(
                405,
                [*_TEXT, ("allow", "POST"), *allow],
                "Used HTTP Method is not allowed. POST is required\n",
            )
        elif not _is_json(headers.get("content-type")):
            # A web page can send other types to any address without asking; JSON it cannot.
            protocol.response_bytes(
                415,
                [*_JSON, *allow],
                error_body(
                    RpcError(
                        INVALID_REQUEST,
                        "Supplied content type is not allowed. Content-Type: application/json is "
                        "required",
                    )
                ),
            )
        else:
            chunked = "transfer-encoding" in headers
            await self._post(None if chunked else headers.get("content-length"), allow, protocol)

    async def _post(self, length: str | None, allow: list[tuple[str, str]], protocol: Any) -> None:
        body = None
        announced = int(length) if length is not None and length.isdigit() else None
        if announced is None or announced <= MAX_BODY_BYTES:
            try:
                async with asyncio.timeout(CLIENT_SECONDS):
                    # hyper holds a body to the length that it was announced with.
                    body = await (_read(protocol) if announced is None else protocol())
            except TimeoutError:
                late = "the request's body did not come in time\n"
                protocol.response_str(408, [*_TEXT, *_CLOSE, *allow], late)
                return
        if body is None:
            protocol.response_bytes(
                413,
                [*_JSON, *_CLOSE, *allow],
                error_body(
                    RpcError(INVALID_REQUEST, f"request body is over {MAX_BODY_BYTES} bytes")
                ),
            )
            return
        await self._room()
        try:
            response = self._answer(body)
        except Stop as stop:
            self._fatal(stop)
            protocol.response_empty(503, allow)
            return
        protocol.response_bytes(200, [*_JSON, *allow] if allow else _JSON, response)


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"


async def _read(protocol: Any) -> bytes | None:
    """The body, or None when it is too long; a chunked one says its length only at the end."""
    chunks = []
    size = 0
    async for chunk in protocol:
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


class _Server(Server):
    """Takes a socket that listens already: by itself granian shares a port that is taken."""

    def __init__(self, app: RpcApp, listener: socket.socket, connections: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            backpressure=connections,
            http1_settings=HTTP1Settings(header_read_timeout=CLIENT_SECONDS * 1000),
            log_enabled=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # What granian's own socket is elsewhere than on Linux; its types do not say how it is made.
        holder: Any = SocketHolder
        self._shd = holder(self._listener.detach(), False, BACKLOG)


async def serve(
    app: RpcApp, listener: socket.socket, connections: int, stop: asyncio.Event
) -> None:
    """Serves until `stop` is set, then finishes what is in flight."""
    server = _Server(app, listener, connections)
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if serving.done():
        serving.result()  # raises what ended it
        raise Stop("the HTTP server ended by itself", EXIT_FAILED)
    server.stop()  # type: ignore[no-untyped-call]
    await serving
