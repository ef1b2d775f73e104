"""Many idle or slow clients do not keep the others waiting."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from tests.integration.cbapi.support import Service
from tests.integration.localnet.crowd import (
    SILENT,
    crowd,
    health_seconds,
    seconds_until_closed,
)

BODY_MISSING = b"POST /v1/program HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"


# More than granian's own default of 1024, after which all others wait.
@pytest.mark.parametrize("sent", [*SILENT.values(), BODY_MISSING], ids=[*SILENT, "half a body"])
def test_many_silent_clients(service: Service, sent: bytes) -> None:
    with crowd(service.port, 1500, sent):
        assert health_seconds(service.port) < 2
    assert service.stop() == 0


def test_silent_clients_lose_the_connection(service: Service) -> None:
    with ExitStack() as open_ones:
        silent = [
            open_ones.enter_context(crowd(service.port, 1, sent))[0] for sent in SILENT.values()
        ]
        waits = [seconds_until_closed(one) for one in silent]
    # One after the other: the first wait is the longest.
    assert 5 < waits[0] < 15
    assert max(waits[1:]) < 5
