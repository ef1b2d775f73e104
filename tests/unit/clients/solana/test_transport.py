"""Against a server of sockets that answers whatever a test wants."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from solders.keypair import Keypair

from cbctl.clients.solana.failures import RateLimited, RpcRefusal, Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.errors import CbctlError, Exit

SECRET = "very-secret-key"


def ok(result: object) -> bytes:
    return reply(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())


def reply(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Server:
    """Answers the n-th request with the n-th of `answers`; None closes the connection."""

    answers: list[bytes | None]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}?key={SECRET}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while self._one(connection):
                pass

    def _one(self, connection: socket.socket) -> bool:
        raw = b""
        try:
            while b"\r\n\r\n" not in raw:
                part = connection.recv(65_536)
                if not part:
                    return False
                raw += part
            head, _, body = raw.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65_536)
        except OSError:
            return False
        self.requests.append(head + b"\r\n\r\n" + body)
        answer = self.answers.pop(0)
        if answer is None:
            return False
        connection.sendall(answer)
        return True

    def close(self) -> None:
        self._socket.close()
        for connection in self._open:
            connection.close()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Server] = []

    def start(*answers: bytes | None) -> Server:
        started.append(Server(list(answers)))
        return started[-1]

    yield start
    for server in started:
        server.close()


def test_calls_share_a_connection(serve: Serve) -> None:
    server = serve(ok(5), ok(6), ok(7))
    rpc = Rpc(server.url)
    assert (rpc.slot(), rpc.slot(), rpc.slot()) == (5, 6, 7)
    assert server.connections == 1
    assert server.requests[0].startswith(f"POST /{SECRET}?key={SECRET} HTTP/1.1".encode())
    assert b"authorization: basic " in server.requests[0].lower()
    rpc.close()


def test_connection_that_the_server_closed_is_made_anew(serve: Serve) -> None:
    server = serve(ok(5), None, ok(6))
    rpc = Rpc(server.url)
    rpc.slot()
    assert rpc.slot() == 6
    assert server.connections == 2
    rpc.close()


def test_airdrop_is_never_asked_for_twice(serve: Serve) -> None:
    server = serve(ok(5), None, ok("signature"))
    rpc = Rpc(server.url, patience=5)
    rpc.slot()
    with pytest.raises(Unreachable):
        rpc.airdrop(Keypair().pubkey(), 5)
    assert len(server.requests) == 2
    rpc.close()


@pytest.mark.parametrize(
    ("answer", "kind", "exit", "words"),
    [
        (None, Unreachable, Exit.FAILED, "cut"),
        (reply(b"<html>", "502 Bad Gateway"), Unreachable, Exit.FAILED, "HTTP 502"),
        (reply(b"{", "200 OK"), Unreachable, Exit.FAILED, "documented form"),
        (reply(b"[]"), Unreachable, Exit.FAILED, "documented form"),
        (ok(None), Unreachable, Exit.FAILED, "documented form"),
        (ok(True), Unreachable, Exit.FAILED, "documented form"),
        (reply(b"{}", "401 Unauthorized"), CbctlError, Exit.CREDENTIALS, "refuses access"),
        (reply(b"{}", "403 Forbidden"), CbctlError, Exit.CREDENTIALS, "refuses access"),
        (reply(b"{}", "429 Too Many"), RateLimited, Exit.FAILED, "429"),
        (reply(b'{"error":{"code":-32601,"message":"no"}}'), RpcRefusal, Exit.FAILED, "no"),
        (reply(b'{"error":{"code":-32005,"message":"m"}}'), Unreachable, Exit.FAILED, "not ready"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{", Unreachable,
         Exit.FAILED, "getSlot"),
        (b"not HTTP at all\r\n\r\n", Unreachable, Exit.FAILED, "cut"),
    ],
)  # fmt: skip
def test_failures_name_the_host_only(
    serve: Serve, answer: bytes | None, kind: type[CbctlError], exit: Exit, words: str
) -> None:
    server = serve(answer)
    rpc = Rpc(server.url, timeout=1)
    with pytest.raises(kind) as caught:
        rpc.slot()
    error = caught.value
    shown = f"{error} {error!r} {error.fix} {error.__cause__} {rpc!r}"
    assert SECRET not in shown
    assert f"127.0.0.1:{server.port}" in shown
    assert words in str(error)
    assert error.exit == exit
    assert error.__suppress_context__ or error.__context__ is None
    rpc.close()


def test_silent_server_is_left_in_time(serve: Serve) -> None:
    rpc = Rpc(serve(b"").url, timeout=0.2)
    with pytest.raises(Unreachable, match=r"no answer to getSlot within 0\.2 s"):
        rpc.slot()
    rpc.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    waits: list[float] = []
    rpc = Rpc(f"http://127.0.0.1:{port}", patience=30, sleep=waits.append)
    with pytest.raises(Unreachable, match="nobody answers there") as caught:
        rpc.slot()
    assert caught.value.refused
    assert waits == []


def test_a_name_that_nobody_knows() -> None:
    rpc = Rpc("http://nobody.invalid:8899/KEY")
    with pytest.raises(Unreachable, match=r"getSlot failed: .*[Nn]ame") as caught:
        rpc.slot()
    assert "KEY" not in str(caught.value)
    rpc.close()


def test_patience(serve: Serve) -> None:
    """What the server asks for is waited for, else longer each time, until patience ends."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    waits: list[float] = []
    limited = reply(b"{}", "429 Too Many", "Retry-After: 3\r\n")
    dated = reply(b"{}", "429 Too Many", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n")
    down = reply(b"", "503 Busy")
    server = serve(limited, dated, down, ok(5))
    rpc = Rpc(server.url, patience=10, sleep=sleep, now=lambda: clock[0])
    assert rpc.slot() == 5
    assert waits == [3.0, 0.5, 1.0]
    rpc.close()

    waits.clear()
    server = serve(*[down] * 9)
    rpc = Rpc(server.url, patience=10, sleep=sleep, now=lambda: clock[0])
    with pytest.raises(Unreachable):
        rpc.slot()
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0]
    rpc.close()


@pytest.mark.parametrize(("asked", "waited"), [("nan", 0.25), ("-5", 0.25), ("inf", 60.0)])
def test_a_server_may_ask_for_any_wait(serve: Serve, asked: str, waited: float) -> None:
    waits: list[float] = []
    server = serve(reply(b"{}", "429 Too Many", f"Retry-After: {asked}\r\n"), ok(5))
    rpc = Rpc(server.url, patience=90, sleep=waits.append)
    assert rpc.slot() == 5
    assert waits == [waited]
    rpc.close()


def test_one_try_where_asked(serve: Serve) -> None:
    server = serve(reply(b"", "503 Busy"))
    rpc = Rpc(server.url, patience=30, sleep=lambda _: pytest.fail("must not wait"))
    with pytest.raises(Unreachable):
        rpc.send(b"wire", preflight=False, once=True)
    rpc.close()


@pytest.mark.parametrize("url", ["", "localhost:8899", "ftp://host", "http://", "http://h:x/k"])
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    with pytest.raises(CbctlError) as caught:
        Rpc(url)
    assert caught.value.exit == Exit.USAGE
    assert str(caught.value) == "the RPC address is not an http:// or https:// URL"


def test_nothing_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rpc = Rpc(serve(ok(1)).url)
    rpc.slot()
    rpc.close()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8899", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("https://api.devnet.solana.com", False),
        ("http://127.evil.example", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert Rpc(url).loopback is loopback


def test_endpoint_that_refuses_its_key_is_passed_over(serve: Serve) -> None:
    refusing = serve(*[reply(b"{}", "401 Unauthorized")] * 2)
    well = serve(ok("genesis"), ok(7), ok(3))
    rpc = Rpc([refusing.url, well.url])
    assert rpc.rent(5) == 3
    assert rpc.host.endswith(str(well.port))
    rpc.close()


def test_all_endpoints_refuse_their_keys(serve: Serve) -> None:
    urls = [serve(*[reply(b"{}", "401 Unauthorized")] * 2).url for _ in range(2)]
    rpc = Rpc(urls)
    with pytest.raises(CbctlError) as caught:
        rpc.rent(5)
    assert caught.value.exit == Exit.CREDENTIALS
    assert SECRET not in str(caught.value)
    rpc.close()


def test_airdrop_is_asked_of_one_endpoint_only(serve: Serve) -> None:
    dying, well = serve(ok("genesis"), ok(7), None), serve(ok("genesis"), ok(7))
    rpc = Rpc([dying.url, well.url], patience=5)
    with pytest.raises(Unreachable):
        rpc.airdrop(Keypair().pubkey(), 5)
    assert len(well.requests) == 2  # its identity, and how far it is
    rpc.close()


def test_looks_at_once_are_patient_where_one_found_nothing(serve: Serve) -> None:
    server = serve(reply(b"", "503 Busy"), ok(9))
    waits: list[float] = []
    rpc = Rpc(server.url, patience=5, sleep=waits.append)
    assert rpc.together(lambda: rpc.rent(5), lambda: "without asking") == [9, "without asking"]
    assert waits == []
    rpc.close()
