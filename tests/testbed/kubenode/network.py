"""Sockets in another network namespace, and a relay between two of them.

A socket belongs to the namespace in which it was made, whoever uses it afterwards.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

Dial = Callable[[], socket.socket]


@contextmanager
def namespace_of(pid: int) -> Iterator[None]:
    """This thread sees the network of the process."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _enter(other)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)
        os.close(other)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Relay:
    """Passes everything between who connects to `listening` and what `dial` reaches."""

    def __init__(self, listening: socket.socket, dial: Dial) -> None:
        self._listening, self._dial = listening, dial
        self.port: int = listening.getsockname()[1]
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client:
            try:
                server = self._dial()
            except OSError:
                return
            with server, suppress(OSError):
                _pump(client, server)


def _pump(one: socket.socket, other: socket.socket) -> None:
    for end in (one, other):  # what is passed on waits for nothing: else a handshake takes 40 ms
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while ready.get_map():
            for key, _ in ready.select():
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                if data := source.recv(1 << 16):
                    target.sendall(data)
                else:
                    ready.unregister(source)
                    target.shutdown(socket.SHUT_WR)


def into(pid: int, port: int) -> Relay:
    """A port of this machine that leads to one on loopback of the process's network."""

    def dial() -> socket.socket:
        with namespace_of(pid):
            return socket.create_connection(("127.0.0.1", port), timeout=None)

    return Relay(socket.create_server(("127.0.0.1", 0)), dial)


def out_of(pid: int, address: str, port: int) -> Relay:
    """A port at `address` of the process's network that leads to `port` of this machine."""

    def dial() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=None)

    with namespace_of(pid):
        listening = socket.create_server((address, 0))
    return Relay(listening, dial)
