"""What a web page in a browser gets from the two ports: nothing, unless its origin was invited."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.integration.localnet.support import Localnet, free_port

PAGE = "http://app.example:3000"
EVIL = "http://evil.example"
BODY = '{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def inviting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    state: Path = tmp_path_factory.mktemp("inviting")
    invited = ("--allow-origin", PAGE, "--allow-origin", "https://b.example")
    localnet = Localnet(state, free_port(1), 50, *invited, "--allow-host", "localnet.test")
    yield localnet
    assert localnet.stop() == 0


def _allowed(response: httpx.Response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control")]


def _preflight(net: Localnet, origin: str) -> httpx.Response:
    asks = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,solana-client",
    }
    return net.http.request("OPTIONS", net.url, headers=asks)


def _handshake(net: Localnet, *more: str, host: str = "localhost", origin: str = "") -> int:
    """The status of the answer; 101 when the WebSocket was opened."""
    head = [
        "GET / HTTP/1.1",
        f"host: {host}",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
        *([f"origin: {origin}"] if origin else []),
        *more,
    ]
    with socket.create_connection(("127.0.0.1", net.port + 1), 20) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        return int(connection.recv(4096).split()[1])


def test_no_page_gets_anything_by_itself(net: Localnet) -> None:
    for origin in (PAGE, EVIL, "http://localhost:3000", "null"):
        answers = [
            _preflight(net, origin),
            net.http.post(net.url, content=BODY, headers={**JSON, "origin": origin}),
            net.http.get(f"{net.url}/health", headers={"origin": origin}),
        ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]
        assert not any(_allowed(answer) for answer in answers)
        assert "--allow-origin" in answers[1].text
        assert _handshake(net, origin=origin) == 403


def test_an_invited_page_is_answered_and_no_other(inviting: Localnet) -> None:
    asked = _preflight(inviting, PAGE)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert asked.headers["access-control-allow-methods"] == "POST, GET"
    assert asked.headers["access-control-allow-headers"] == "*"
    posted = inviting.http.post(inviting.url, content=BODY, headers={**JSON, "origin": PAGE})
    assert posted.json()["result"] == "ok"
    assert posted.headers["access-control-allow-origin"] == PAGE
    assert posted.headers["vary"] == "origin"
    # Errors too, or the page could not read what was wrong.
    too_long = inviting.http.post(
        inviting.url, content=b" " * 60_000, headers={**JSON, "origin": PAGE}
    )
    assert (too_long.status_code, _allowed(too_long)) == (413, ["access-control-allow-origin"])
    assert _handshake(inviting, origin=PAGE) == 101
    assert _preflight(inviting, EVIL).status_code == 403
    assert _handshake(inviting, origin=EVIL) == 403
    assert inviting.call("getHealth") == "ok"  # no browser: no origin


def test_names_that_lead_here_are_checked_on_the_websocket_too(
    net: Localnet, inviting: Localnet
) -> None:
    assert _handshake(net, host="evil.example") == 403
    assert _handshake(net, host=f"localhost:{net.port + 1}") == 101
    assert _handshake(net, host="localnet.test") == 403
    assert _handshake(inviting, host="localnet.test:80") == 101
    posted = inviting.http.post(
        inviting.url, content=BODY, headers={**JSON, "host": "localnet.test"}
    )
    assert posted.status_code == 200


def test_a_client_that_names_the_port_as_its_origin_is_no_page(net: Localnet) -> None:
    host = f"127.0.0.1:{net.port + 1}"
    assert _handshake(net, host=host, origin=f"http://{host}") == 101


def test_headers_that_contradict_each_other_are_refused(inviting: Localnet) -> None:
    assert _handshake(inviting, "host: localhost") == 403
    assert _handshake(inviting, f"origin: {EVIL}", origin=PAGE) == 403
