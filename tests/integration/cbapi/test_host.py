"""Under which names the service answers: a web page whose DNS points here reads nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from tests.integration.cbapi.support import Service

MakeService = Callable[..., Service]

FOREIGN = [
    "evil.example",
    "evil.example:3000",
    "127.0.0.1.evil.example:3000",
    "localhost.evil.example",
    "127.0.0.1:3000@evil.example",
    "::1",
    "0.0.0.0",
]


PATHS = ["/health", "/ready", "/metrics", "/v1/program", "/nothing"]


def test_on_loopback_only_names_of_this_machine(service: Service) -> None:
    for host in ("127.0.0.1", "127.0.0.1:1", "localhost:3000", "LOCALHOST", "[::1]", "[::1]:3000"):
        assert service.http.get("/health", headers={"host": host}).status_code == 200, host
    for host in FOREIGN:
        for path in PATHS:
            answer = service.http.get(path, headers={"host": host})
            assert answer.status_code == 403, (host, path)
            body = answer.json()
            assert (body["success"], body["data"]) == (False, None)
            assert body["error"]["code"] == "VAL_HOST"
            assert body["meta"]["requestId"] == answer.headers["x-request-id"]
    assert 'http_requests_total{method="GET",route="unmatched",status="403"}' in (
        service.http.get("/metrics").text
    )


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: evil.example\r\nhost: localhost\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    ],
)
def test_no_host_or_two(service: Service, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        connection.sendall(head)
        status = connection.recv(4096).split(b" ")[1]
    assert status in (b"400", b"403")


def test_another_address_of_loopback_is_a_name_too(make_service: MakeService) -> None:
    service = make_service(HOST="127.0.0.2")
    service.http.base_url = f"http://127.0.0.2:{service.port}"
    service.start()
    assert service.http.get("/health", headers={"host": "evil.example"}).status_code == 403


def test_elsewhere_the_ingress_decides(make_service: MakeService) -> None:
    service = make_service(HOST="0.0.0.0").start()
    for host in FOREIGN:
        assert service.http.get("/health", headers={"host": host}).status_code == 200, host
