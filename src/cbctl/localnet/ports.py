"""The two ports: JSON-RPC, and the WebSocket on the next one, where every client looks for it."""

from __future__ import annotations

import errno
import resource
import socket
from typing import NamedTuple

from cbctl.localnet.errors import EXIT_FAILED, Stop

LOOPBACK = "127.0.0.1"
BACKLOG = 1024

_HTTP_CONNECTIONS = 4096
_WS_CONNECTIONS = 512
_OTHER_FILES = 128


class Ports(NamedTuple):
    """Bound and listening from the start on; who connects early waits for the answer."""

    http: socket.socket
    websocket: socket.socket


def reserve(address: str, port: int) -> Ports:
    """Takes both ports, or none: Stop names the one that is taken."""
    http = _listen(address, port, "")
    try:
        return Ports(http, _listen(address, port + 1, ", which the WebSocket needs,"))
    except Stop:
        http.close()
        raise


def _listen(address: str, port: int, role: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sends small messages at once (TCP_NODELAY) only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # After a restart, connections of the former process are still in TIME_WAIT.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
        raise Stop(
            f"port {port} of {address}{role} {reason}: stop what listens there, or choose another "
            "with --port",
            EXIT_FAILED,
        ) from None
    listener.setblocking(False)
    return listener


def url(scheme: str, address: str, port: int) -> str:
    """The address as clients are given it."""
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}"


class Connections(NamedTuple):
    """How many there may be on each port."""

    http: int
    websocket: int


def connections() -> Connections:
    """As many as there are files for: each takes one, and one too many would fail others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A WebSocket that has not shaken hands yet is not one of those that may stay.
    wanted = _HTTP_CONNECTIONS + 2 * _WS_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    files = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    # In the proportion of the two numbers where there are fewer files.
    share = max(0, files - _OTHER_FILES) / (wanted - _OTHER_FILES)
    return Connections(max(1, int(_HTTP_CONNECTIONS * share)), max(1, int(_WS_CONNECTIONS * share)))
