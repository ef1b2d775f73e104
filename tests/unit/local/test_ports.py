"""Ports: stored, kept, and never a stranger's."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.local.ports import HOST, Ports, can_bind
from cbctl.local.state import State


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return Ports(State.open("plat", "local", root=tmp_path))


def listen(port: int = 0) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    return server


def test_a_free_port_is_chosen_once(ports: Ports) -> None:
    first = ports.reserve("redis")
    assert 15_000 <= first < 30_000
    assert can_bind(first)
    assert [ports.reserve("redis") for _ in range(3)] == [first] * 3
    assert ports.stored("redis") == first
    assert ports.reserve("postgres") != first


def test_a_stored_port_that_a_stranger_took_is_replaced(ports: Ports) -> None:
    first = ports.reserve("redis")
    with listen(first):
        assert ports.reserve("redis") != first


def test_a_preferred_port_of_a_stranger_is_an_error_that_names_it(ports: Ports) -> None:
    with listen() as server:
        port = server.getsockname()[1]
        with pytest.raises(CbctlError) as error:
            ports.reserve("api", preferred=port)
    assert error.value.exit is Exit.REFUSED
    assert f"port {port} is taken by" in error.value.what
    assert f"(pid {os.getpid()})" in error.value.what
    assert "another port for api in cbctl.yaml" in error.value.fix
    assert ports.stored("api") is None
    assert ports.reserve("api", preferred=port) == port


def test_the_second_of_a_pair_counts(ports: Ports) -> None:
    pair = ports.reserve("localnet", count=2)
    with listen(pair + 1):
        with pytest.raises(CbctlError, match=f"port {pair + 1} is taken") as error:
            ports.reserve("localnet", preferred=pair, count=2)
        assert f"localnet needs {pair} and the port after it" in error.value.what
        assert ports.reserve("localnet", count=2) != pair


def test_side_by_side_reservations_are_all_stored(ports: Ports) -> None:
    names = [f"service{number}" for number in range(8)]
    threads = [threading.Thread(target=ports.reserve, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {name: ports.stored(name) for name in names}
    assert None not in found.values()
    assert len(set(found.values())) == 8


def test_a_port_that_this_user_may_not_use(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CbctlError, match="may not use port 80") as error:
        ports.reserve("api", preferred=80)
    assert error.value.exit is Exit.CREDENTIALS
