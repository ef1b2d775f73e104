"""A registry that answers nonsense: one message, whatever is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cbctl.clients.images.contents import packages
from cbctl.clients.images.name import Name, parse
from cbctl.clients.images.registry import Registry
from cbctl.errors import CbctlError

DIGEST = "sha256:" + "a" * 64


class Nonsense(ThreadingHTTPServer):
    body = b""


class Handler(BaseHTTPRequestHandler):
    server: Nonsense

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Nonsense]:
    with Nonsense(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def name(server: Nonsense) -> Name:
    return parse(f"127.0.0.1:{server.server_port}/shop")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"layers": 5}',
        b'{"layers": ["x"]}',
        b'{"layers": [{}]}',
        b'{"layers": [{"digest": "sha256:1", "annotations": "x"}]}',
        b'{"manifests": "x"}',
        b'{"manifests": [5]}',
        b'{"manifests": [{"digest": 3}]}',
    ],
)
def test_no_manifest(server: Nonsense, name: Name, body: bytes) -> None:
    server.body = body
    with Registry(name) as registry:
        with pytest.raises(CbctlError, match=r"no JSON|no image"):
            packages(registry, registry.manifest("latest") or {})
        if body:
            with pytest.raises(CbctlError, match=r"no JSON|no image"):
                registry.referrers(DIGEST)


def test_something_else_than_was_asked_for(server: Nonsense, name: Name) -> None:
    server.body = b"{}"
    with Registry(name) as registry:
        for ask in (registry.manifest, lambda digest: registry.blob(digest, 100)):
            with pytest.raises(CbctlError, match="is something else"):
                ask(DIGEST)


def test_more_than_there_may_be(server: Nonsense, name: Name) -> None:
    server.body = b"x" * 101
    with Registry(name) as registry, pytest.raises(CbctlError, match="larger than 100 bytes"):
        registry.blob(DIGEST, 100)
