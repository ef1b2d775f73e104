"""Between a client and Postgres: everything passes, until the line is cut at a chosen statement.

Source: PostgreSQL documentation, "Frontend/Backend Protocol" (message formats). A statement ends
with Query (`Q`) or, in the extended protocol, with Sync (`S`).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

_ENDS = b"QS"
_ASKS_FIRST = (80877103, 80877104)
"""Codes of the requests for TLS and GSSAPI, which a client may send before anything else."""
When = Literal["before", "after"]


class CutLine:
    """
    port    to connect to
    at      which statement, counted over all connections from 1; 0: none
    when    before the server has it, or after it answered and before the client hears that
    """

    def __init__(self, target: int, at: int = 0, when: When = "before") -> None:
        self.seen, self.was_cut = 0, False
        self._target, self._at, self._when = target, at, when
        self._ends: list[socket.socket] = []
        self._all: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> CutLine:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._cut()
        for thread in self._threads:
            thread.join()
        for end in self._all:
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._ends += [client, server]
                    self._all += [client, server]
                answers = threading.Event()
                self._start(self._up, client, server, answers)
                self._start(self._down, client, server, answers)

    def _up(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        """last: the answer that comes is the one that the client does not hear"""
        with suppress(OSError):
            for message, is_end in _messages(client):
                if is_end and self._is_it():
                    self.was_cut = True
                    if self._when == "before":
                        self._cut()
                        return
                    last.set()
                server.sendall(message)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _down(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if last.is_set():
                    self._cut()
                    return
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _is_it(self) -> bool:
        with self._lock:
            self.seen += 1
            return self.seen == self._at

    def _cut(self) -> None:
        """Every connection; new ones pass."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _messages(client: socket.socket) -> Iterator[tuple[bytes, bool]]:
    """What the client says, message by message; whether a statement ends with it."""
    buffer = b""
    started = False
    while data := client.recv(1 << 16):
        buffer += data
        while True:
            header = 5 if started else 4
            if len(buffer) < header + (0 if started else 4):
                break
            (length,) = struct.unpack_from("!I", buffer, header - 4)
            size = length + (1 if started else 0)
            if len(buffer) < size:
                break
            message, buffer = buffer[:size], buffer[size:]
            if not started:
                (code,) = struct.unpack_from("!I", message, 4)
                started = code not in _ASKS_FIRST
                yield message, False
            else:
                yield message, message[:1] in (_ENDS[:1], _ENDS[1:])
