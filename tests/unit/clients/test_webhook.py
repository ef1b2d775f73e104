"""The notifier against a real HTTP server on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.receiver import Receiver as Hook

from cbctl.clients.webhook import message, notify, signature
from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit

KEY = Secret("the-shared-key")
PATH = "/services/T0/B0/very-secret-path?token=also-secret"
ENDED: dict[str, Any] = {
    "run": "20261122T193348-9f3a1c",
    "result": "succeeded",
    "exit": 0,
    "changes": [{"step": "program", "what": "program bytes"}],
    "release": "7",
    "error": None,
}
HEAD: dict[str, Any] = {"stream": "runs/x", "count": 12, "hash": "ab" * 32}
MESSAGE = message(ENDED, "production", "anna", HEAD)


class Receiver(Hook):
    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> Secret:
        return Secret(self.address(PATH, scheme, host))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver([200])
    yield made
    made.close()


def told(url: Secret, within: float = 5.0, **more: Any) -> CbctlError:
    """The error of a delivery that fails; it shows nothing that is secret."""
    with pytest.raises(CbctlError) as caught:
        notify(url, KEY, MESSAGE, within=within, jitter=lambda: 0.0, **more)
    error = caught.value
    shown = f"{error!s} {error.fix} {error.evidence} {error.args} {error.__context__!r}"
    for secret in ("very-secret", "also-secret", "services", "the-shared-key", "bob", "hunter2"):
        assert secret not in shown, shown
    return error


def test_the_receiver_can_check_who_sent_it_and_drop_repeats(receiver: Receiver) -> None:
    notify(receiver.url(), KEY, MESSAGE, wall=lambda: 1_795_000_000.9)
    [(path, headers, body)] = receiver.got
    assert path == PATH
    assert json.loads(body) == MESSAGE
    digest = hmac.new(b"the-shared-key", b"1795000000." + body, hashlib.sha256).hexdigest()
    assert headers["x-cbctl-signature"] == f"t=1795000000,v1={digest}"
    assert headers["x-cbctl-delivery"] == "20261122T193348-9f3a1c/12"
    assert headers["content-type"] == "application/json"


def test_the_signature_of_a_known_text() -> None:
    assert signature("k", 1, b"{}") == (
        "t=1,v1=" + hmac.new(b"k", b"1.{}", hashlib.sha256).hexdigest()
    )


def test_what_the_message_tells() -> None:
    assert MESSAGE == {
        "version": 1,
        "run": "20261122T193348-9f3a1c",
        "sequence": 12,
        "environment": "production",
        "result": "succeeded",
        "exit": 0,
        "changes": 1,
        "release": "7",
        "error": None,
        "who": "anna",
        "journal": {"count": 12, "hash": "ab" * 32},
    }


def test_server_errors_are_tried_again_as_the_same_delivery(receiver: Receiver) -> None:
    receiver.answers = [500, 503, 204]
    notify(receiver.url(), KEY, MESSAGE, jitter=lambda: 0.0)
    assert len(receiver.got) == 3
    assert len({headers["x-cbctl-delivery"] for _, headers, _ in receiver.got}) == 1
    assert len({body for _, _, body in receiver.got}) == 1


def test_after_two_retries_it_gives_up(receiver: Receiver) -> None:
    receiver.answers = [502]
    error = told(receiver.url())
    assert len(receiver.got) == 3
    assert error.what == "the webhook could not be told: it answered 502"
    assert error.where == f"http://127.0.0.1:{receiver.port}"
    assert error.exit is Exit.FAILED


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    assert f"it answered {status}" in told(receiver.url()).what
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    other = Receiver([200])
    try:
        receiver.answers, receiver.location = [status], other.url().reveal()
        assert "redirects are not followed" in told(receiver.url()).what
        assert len(receiver.got) == 1 and not other.got
    finally:
        other.close()


def test_a_refused_connection(receiver: Receiver) -> None:
    receiver.close()
    error = told(receiver.url())
    assert error.what == "the webhook could not be told: no connection: Connection refused"


@pytest.mark.parametrize("answer", [b"", b"H", b"not http at all\r\n\r\n"])
def test_a_receiver_that_answers_nonsense_or_drips_is_left_in_time(answer: bytes) -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            server.settimeout(0.1)
            taken = []
            while not over.wait(0.05):
                with contextlib.suppress(TimeoutError):
                    taken.append(server.accept()[0])
                for one in taken:
                    with contextlib.suppress(OSError):
                        one.sendall(answer)
            for one in taken:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        error = told(Secret(f"http://127.0.0.1:{port}{PATH}"), within=1.0)
        spent = time.monotonic() - began
        over.set()
        thread.join()
    assert spent < 3.0
    assert error.exit in (Exit.TIMEOUT, Exit.FAILED)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/very-secret",
        "http://10.0.0.1/very-secret",
        "http://localhost.example.com/very-secret",
        "ftp://example.com/very-secret",
        "https:///very-secret",
        "https://bob:hunter2@example.com/very-secret",
        "https://example.com:99999/very-secret",
        "https://[::1/very-secret",
        "very-secret",
        "",
    ],
)
def test_addresses_that_are_refused_before_anything_is_sent(url: str) -> None:
    error = told(Secret(url))
    assert error.exit is Exit.USAGE


def test_a_path_that_no_request_can_carry(receiver: Receiver) -> None:
    for path in ("/very secret", "/very-secret\x7f", "/very-secret-ü"):
        error = told(Secret(f"http://127.0.0.1:{receiver.port}{path}"))
        assert error.what.endswith(": its address cannot be used in a request")


def test_an_empty_key_signs_nothing(receiver: Receiver) -> None:
    with pytest.raises(CbctlError, match="is empty"):
        notify(receiver.url(), Secret(""), MESSAGE)
    assert not receiver.got


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
def test_certificates_are_checked(tmp_path: Path, receiver: Receiver) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    receiver.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    receiver.server.socket = server.wrap_socket(receiver.server.socket, server_side=True)

    assert "its certificate is not valid" in told(receiver.url("https", "localhost")).what
    known = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    assert "its certificate is not valid" in told(receiver.url("https"), tls=known).what
    assert not receiver.got
    notify(receiver.url("https", "localhost"), KEY, MESSAGE, tls=known)
    assert len(receiver.got) == 1
