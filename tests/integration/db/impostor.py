"""Whoever took the port of a Postgres that is down: asks for the password, notes what comes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CLEARTEXT = struct.pack("!cII", b"R", 8, 3)
MD5 = struct.pack("!cII4s", b"R", 12, 5, b"salt")
NOTHING = struct.pack("!cII", b"R", 8, 0)

_SSL, _GSS = 80877103, 80877104


@dataclass
class Impostor:
    """asks  the first message after a client's start-up packet"""

    asks: bytes
    port: int = 0
    logins: int = 0
    answers: list[bytes] = field(default_factory=list)

    def serve(self, stream: socket.socket) -> None:
        stream.settimeout(5)
        with stream:
            while True:
                head = _exactly(stream, 8)
                if not head:
                    return
                length, code = struct.unpack("!II", head)
                if code not in (_SSL, _GSS):
                    break
                stream.sendall(b"N")
            _exactly(stream, length - 8)
            self.logins += 1
            stream.sendall(self.asks)
            self.answers.append(stream.recv(4096))


@contextmanager
def impostor(asks: bytes = CLEARTEXT) -> Iterator[Impostor]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Impostor(asks, listener.getsockname()[1])

        def one(stream: socket.socket) -> None:
            try:
                server.serve(stream)
            except OSError:
                server.answers.append(b"")  # hung up: nothing more came

        def accept() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(stream,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _exactly(stream: socket.socket, count: int) -> bytes:
    """`count` bytes; empty when the stream ends before."""
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return data
