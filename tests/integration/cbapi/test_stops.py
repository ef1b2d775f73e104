"""How the process ends, many times over."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.cbapi.support import Service

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
