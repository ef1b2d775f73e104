"""Who listens on a port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cbctl.local import listeners, processes


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["4", "6"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which this process listens, and to which it has a connection."""
    family, host = request.param
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.listen()
        found = server.getsockname()[1]
        with socket.create_connection((host, found)):
            yield found


def test_kernel_and_tables_agree(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = listeners._inodes(port)
    assert len(asked) == 1
    assert listeners._read_tables(port) == asked

    def refuse(family: int, port: int) -> set[int]:
        raise OSError

    monkeypatch.setattr(listeners, "_ask_kernel", refuse)
    assert listeners._inodes(port) == asked


def test_the_owner_is_found_and_nobody_else(port: int) -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    assert listeners.listening([me], port)
    found = listeners.listener(port)
    assert found is not None
    assert found.pid == os.getpid()
    assert str(found) == f"{found.name} (pid {os.getpid()})"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        stranger = processes.identify(other.pid)
        assert stranger is not None
        assert not listeners.listening([stranger], port)
        other.communicate(b"\n")
    assert not listeners.listening([stranger], port)  # gone


def test_a_connection_keeps_its_port_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        found = listeners.listener(client.getsockname()[1])
        assert found is not None
        assert found.pid == os.getpid()


def test_nobody_listens(port: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        assert listeners.listener(server.getsockname()[1]) is None
        assert listeners._inodes(server.getsockname()[1]) == set()
    assert str(listeners.Listener(1, None, "")) == "a process of another user"
