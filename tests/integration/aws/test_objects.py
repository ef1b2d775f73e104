"""Copies in S3 of what only ever grows, by moto's server."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
from tests.testbed.s3 import s3_client, s3_server

from cbctl.clients.aws.objects import Objects
from cbctl.errors import CbctlError, Exit

# botocore lets go of the socket of a request that was refused before its body was sent
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Here, and not in whichever test comes later."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    before = dict(os.environ)
    with s3_server() as variables:
        os.environ.update(variables)
        client = s3_client(variables)
        client.create_bucket(Bucket="kept")
        yield client
        client.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def at(s3: Any) -> Iterator[Callable[..., Objects]]:
    with ExitStack() as stack:
        yield lambda *given: stack.enter_context(closing(Objects(*given)))


def test_it_grows_and_never_shrinks(s3: Any, at: Callable[..., Objects]) -> None:
    kept = at("s3://kept/all/", {"ServerSideEncryption": "AES256"})
    assert kept.read("history") is None
    kept.extend("history", b"one\n")
    kept.extend("history", b"one\ntwo\n")
    kept.extend("history", b"one\n")  # by a machine that was slower
    assert kept.read("history") == b"one\ntwo\n"
    found = s3.get_object(Bucket="kept", Key="all/history")
    assert found["ServerSideEncryption"] == "AES256"
    with pytest.raises(CbctlError, match="no beginning") as caught:
        kept.extend("history", b"another\n")
    assert caught.value.exit is Exit.DIFFERS


def test_two_that_write_at_once(
    at: Callable[..., Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one writes between our look and our write: we look again."""
    kept, other = at("s3://kept", {}), at("s3://kept", {})
    kept.extend("raced", b"one\n")
    look = kept._get
    late = [b"one\ntwo\nthree\n"]

    def looked(name: str) -> tuple[bytes | None, str]:
        found = look(name)
        if late:
            other.extend(name, late.pop())
        return found

    monkeypatch.setattr(kept, "_get", looked)
    kept.extend("raced", b"one\ntwo\n")
    assert other.read("raced") == b"one\ntwo\nthree\n"


def test_what_cannot_be_written(at: Callable[..., Objects]) -> None:
    with pytest.raises(CbctlError, match="NoSuchBucket"):
        at("s3://absent", {}).extend("history", b"one\n")
    with pytest.raises(CbctlError, match="names no bucket") as caught:
        at("s3:///x", {})
    assert caught.value.exit is Exit.USAGE


def test_in_a_hurry_it_asks_once(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    class Broken(StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline())

    with ThreadingTCPServer(("127.0.0.1", 0), Broken) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        for hurry, expected in ((True, 1), (False, 4)):
            asked.clear()
            with (
                closing(Objects("s3://kept/all/", {}, hurry=hurry)) as kept,
                pytest.raises(CbctlError),
            ):
                kept.read("history")
            assert len(asked) == expected
        server.shutdown()
