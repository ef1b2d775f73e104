"""A line to a server on which each way there takes a while, as on a network."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress


class SlowLine:
    """seconds: between what a client says and the server that hears it; answers pass at once"""

    def __init__(self, target: int, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for one, other, wait in ((client, server, self._seconds), (server, client, 0.0)):
                    threading.Thread(target=_pass_on, args=(one, other, wait), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket, wait: float) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            if wait:
                time.sleep(wait)
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
