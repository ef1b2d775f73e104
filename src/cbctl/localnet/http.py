"""HTTP in front of the dispatcher: granian inside this process, one event loop, no worker.

Granian was the fastest of what the product already installs: 64 connections got 9,500 answers a
second from it and 3,200 from h11. Its hyper core parses HTTP, we see only whole requests.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Callable
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from cbctl.localnet.errors import EXIT_FAILED, INVALID_REQUEST, RpcError, Stop
from cbctl.localnet.rpc.dispatch import error_body

log = logging.getLogger(__name__)

HOST = "127.0.0.1"

# agave, rpc/src/rpc_service.rs MAX_REQUEST_BODY_SIZE: what works here works on a cluster.
MAX_BODY_BYTES = 50 * 1024

# How long a client may take for the next head or for a body. Whoever takes longer, or has nothing
# to say, loses the connection, because granian serves so many at a time and lets the rest wait.
CLIENT_SECONDS = 10
MAX_CONNECTIONS = 4096
_OTHER_FILES = 128

_JSON = [("content-type", "application/json")]
_TEXT = [("content-type", "text/plain; charset=utf-8")]
# Names by which a browser on this machine may come. Any other name means that somebody's DNS
# points at 127.0.0.1 (DNS rebinding).
_NAMES = {"127.0.0.1", "localhost", "[::1]"}


def host_allowed(host: str | None) -> bool:
    """Whether a Host header names this machine; any port, since ports are forwarded."""
    if not host:
        return False
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    return name.lower() in _NAMES and (not port or port.isdigit())


class RpcApp:
    """The RSGI application."""

    def __init__(self, answer: Callable[[bytes], bytes], fatal: Callable[[Stop], None]) -> None:
        self._answer = answer
        self._fatal = fatal

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(400)
            return
        headers = scope.headers
        if not host_allowed(headers.get("host") or scope.authority):
            protocol.response_str(403, _TEXT, "Host not allowed\n")
        elif scope.method == "GET" and scope.path == "/health":
            protocol.response_str(200, _TEXT, "ok")
        elif scope.method != "POST":
            protocol.response_str(
                405,
                [*_TEXT, ("allow", "POST")],
                "Used HTTP Method is not allowed. POST is required\n",
            )
        elif not _is_json(headers.get("content-type")):
            # A web page can send other types to any address without asking; JSON it cannot.
            protocol.response_bytes(
                415,
                _JSON,
                error_body(
                    RpcError(
                        INVALID_REQUEST,
                        "Supplied content type is not allowed. Content-Type: application/json is "
                        "required",
                    )
                ),
            )
        else:
            await self._post(headers.get("content-length"), protocol)

    async def _post(self, length: str | None, protocol: Any) -> None:
        body = None
        if length is None or not length.isdigit() or int(length) <= MAX_BODY_BYTES:
            try:
                async with asyncio.timeout(CLIENT_SECONDS):
                    body = await _read(protocol)
            except TimeoutError:
                late = "the request's body did not come in time\n"
                protocol.response_str(408, [*_TEXT, ("connection", "close")], late)
                return
        if body is None:
            protocol.response_bytes(
                413,
                [*_JSON, ("connection", "close")],
                error_body(
                    RpcError(INVALID_REQUEST, f"request body is over {MAX_BODY_BYTES} bytes")
                ),
            )
            return
        try:
            response = self._answer(body)
        except (Stop, OSError) as error:
            # OSError: the state folder took no reservation of slots.
            stop = error if isinstance(error, Stop) else Stop(f"cannot go on: {error}", EXIT_FAILED)
            self._fatal(stop)
            protocol.response_empty(503, [])
            return
        protocol.response_bytes(200, _JSON, response)


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


def check_port_free(port: int) -> None:
    """Refuses a taken port: granian sets SO_REUSEPORT and would share it without a word."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
            raise Stop(
                f"port {port} of {HOST} {reason}: stop what listens there, or choose another "
                "with --port",
                EXIT_FAILED,
            ) from None


def connections() -> int:
    """How many connections there may be: each takes a file, and one too many would fail others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MAX_CONNECTIONS, max(1, soft - _OTHER_FILES))


async def serve(app: RpcApp, port: int, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then finishes what is in flight."""
    server = Server(
        app,
        address=HOST,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        backpressure=connections(),
        http1_settings=HTTP1Settings(header_read_timeout=CLIENT_SECONDS * 1000),
        log_enabled=False,
    )
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if serving.done():
        serving.result()  # raises what ended it
        raise Stop(f"the HTTP server on port {port} ended by itself", EXIT_FAILED)
    server.stop()  # type: ignore[no-untyped-call]
    await serving
