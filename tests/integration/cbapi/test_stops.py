"""How the process ends, many times over."""

from __future__ import annotations

import http.client
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.cbapi.support import Service, wait_for

MakeService = Callable[..., Service]

STOPS = 60


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_sixty_stops_after_a_failed_ready(make_service: MakeService) -> None:
    """3 of 60 such stops ended with SIGABRT while the interpreter was torn down in an orderly way:
    a thread of the server's reached for Python when there was none any more."""
    nowhere = {
        "DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c",
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }

    def one(service: Service) -> tuple[int, str]:
        service.start()
        assert service.ready()[0] == 503
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        return service.process.wait(40), service.log_text()

    services = [make_service(**nowhere) for _ in range(STOPS)]
    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(one, services))
    assert [code for code, _ in ends] == [0] * STOPS
    for _, text in ends:
        assert '"stopped"' in text
        assert "Fatal Python error" not in text


def test_who_keeps_a_connection_is_told_to_make_another(make_service: MakeService) -> None:
    """Else its next request is on a connection that is closed under it (17 of 2,214 were lost)."""
    service = make_service(DRAIN_SECONDS="3")
    service.start()
    assert service.process is not None
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)

    def asked() -> str | None:
        connection.request("GET", "/health")
        response = connection.getresponse()
        response.read()
        return response.getheader("connection")

    assert asked() is None
    service.process.send_signal(signal.SIGTERM)
    wait_for(lambda: service.ready()[0] == 503, 10, "draining")
    assert asked() == "close"
    assert asked() == "close", "on another connection, which http.client makes by itself"
    assert service.process.wait(40) == 0
