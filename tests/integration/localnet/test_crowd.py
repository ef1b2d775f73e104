"""Many idle or slow clients do not keep the others waiting."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from tests.integration.localnet.crowd import (
    SILENT,
    crowd,
    health_seconds,
    seconds_until_closed,
)
from tests.integration.localnet.support import Localnet

BODY_MISSING = (
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 100\r\n\r\n{"
)


@pytest.mark.parametrize("sent", [*SILENT.values(), BODY_MISSING], ids=[*SILENT, "half a body"])
def test_five_hundred_silent_clients(net: Localnet, sent: bytes) -> None:
    with crowd(net.port, 500, sent):
        assert health_seconds(net.port) < 2
        assert net.call("getHealth") == "ok"


def test_silent_clients_lose_the_connection(net: Localnet) -> None:
    with ExitStack() as open_ones:
        silent = [
            open_ones.enter_context(crowd(port, 1, sent))[0]
            for port in (net.port, net.port + 1)
            for sent in (*SILENT.values(), BODY_MISSING)
        ]
        waits = [seconds_until_closed(one) for one in silent]
    # One after the other: the first wait is the longest.
    assert 5 < waits[0] < 15
    assert max(waits[1:]) < 5
