"""Both ports or none: clients look for the WebSocket on the port after the RPC's."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.localnet.support import Localnet, Start, free_port
from websockets.sync.client import connect


def _start(state: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cbctl.localnet", "--state", str(state), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("taken", [0, 1], ids=["rpc", "websocket"])
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_taken_port_is_named_and_the_other_is_left_alone(
    tmp_path: Path, taken: int, shared: bool
) -> None:
    port = free_port(1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port + taken))
        other.listen()
        done = _start(tmp_path / "state", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port + taken} of 127.0.0.1" in done.stderr
    assert "is taken" in done.stderr
    assert "--port" in done.stderr
    assert ("which the WebSocket needs" in done.stderr) is bool(taken)
    assert "Traceback" not in done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", port + 1 - taken))


def test_a_second_localnet_on_the_same_ports_is_refused(start: Start, tmp_path: Path) -> None:
    first = start()
    for port in (first.port, first.port - 1, first.port + 1):
        done = _start(tmp_path / "other", "--port", str(port))
        assert (done.returncode, "is taken" in done.stderr) == (1, True)
    assert first.call("getHealth") == "ok"


def test_nothing_listens_beyond_this_machine(net: Localnet) -> None:
    with open(f"/proc/{net.process.pid}/net/tcp") as table:
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    for port in (net.port, net.port + 1):
        assert [at for at in listening if at.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_another_address_is_served_when_told_and_said(tmp_path: Path) -> None:
    # 127.0.0.2 is this machine too, and yet not the address that is served by itself.
    port = free_port(1)
    options = ("--host", "0.0.0.0")
    net = Localnet(tmp_path / "state", port, 50, *options)
    try:
        with connect(f"ws://127.0.0.2:{port + 1}", compression=None) as websocket:
            websocket.send('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}')
            assert '"result":0' in str(websocket.recv(timeout=10))
        net.said("open to the network")
    finally:
        assert net.stop() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "localhost"], "'localhost' is no IP address"),
        (["--allow-origin", "localhost:3000"], "is no origin such as http://localhost:3000"),
        (["--allow-origin", "*"], "is no origin"),
        (["--allow-host", "a:1"], "'a:1' is no name of a host"),
        (["--port", "65535"], "a port is between 1 and 65534"),
    ],
)
def test_wrong_options_are_a_matter_of_usage(tmp_path: Path, options: list[str], said: str) -> None:
    done = _start(tmp_path / "state", *options)
    assert done.returncode == 64
    assert said in done.stderr
    assert not (tmp_path / "state").exists()
