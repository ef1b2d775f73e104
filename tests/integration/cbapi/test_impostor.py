"""Whoever takes the database's port while it is down gets no password from the service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.cbapi.support import PASSWORD, Service, wait_for
from tests.integration.db.impostor import CLEARTEXT, MD5, impostor

MakeService = Callable[..., Service]


@pytest.mark.parametrize("asks", [CLEARTEXT, MD5])
def test_no_password_for_an_impostor(make_service: MakeService, asks: bytes) -> None:
    with impostor(asks) as server:
        url = f"postgresql://app:{PASSWORD}@127.0.0.1:{server.port}/d"
        service = make_service(DATABASE_URL=url).start()
        assert service.ready()[0] == 503
        wait_for(lambda: "require_auth" in service.log_text(), what="a log line that says why")
        assert "no password was sent" in service.log_text()
        assert service.stop() == 0
    assert server.logins > 0
    assert PASSWORD.encode() not in b"".join(server.answers)
    assert b"md5" not in b"".join(server.answers)


def test_an_operator_may_allow_it(make_service: MakeService) -> None:
    with impostor(MD5) as server:
        url = f"postgresql://app:{PASSWORD}@127.0.0.1:{server.port}/d?require_auth=md5"
        service = make_service(DATABASE_URL=url).start()
        wait_for(lambda: b"md5" in b"".join(server.answers), what="a login with md5")
        assert service.stop() == 0
