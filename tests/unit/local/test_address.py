"""URLs that a person gave: only this machine's, and never quoted."""

from __future__ import annotations

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.local.address import Address, parse

PASSWORD = "s3cr3t-p4ss"


def postgres(url: str, *, allow_remote: bool = False) -> Address:
    return parse(
        url,
        "DATABASE_URL",
        schemes=("postgresql", "postgres"),
        port=5432,
        allow_remote=allow_remote,
    )


def test_parts() -> None:
    found = postgres(f"postgresql://me%40x:{PASSWORD}%2F@[::1]:5433/db?sslmode=disable")
    assert (found.host, found.port, found.user, found.database) == ("::1", 5433, "me@x", "db")
    assert found.password == PASSWORD + "/"
    assert found.shown == "postgresql://[::1]:5433"
    assert PASSWORD not in repr(found)
    assert postgres("postgres://localhost/db").port == 5432


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:{}@db.example.com/x",
        "postgresql://u:{}@10.0.0.1/x",
        "postgresql://u:{}@localhost.example.com/x",
        "postgresql://u:{}@[2001:db8::1]/x",
        "postgresql://u:{}@0.0.0.0/x",
    ],
)
def test_another_machine_is_refused_unless_allowed(url: str) -> None:
    url = url.format(PASSWORD)
    with pytest.raises(CbctlError, match="another machine") as error:
        postgres(url)
    assert error.value.exit is Exit.REFUSED
    assert "allow_remote" in error.value.fix
    assert PASSWORD not in f"{error.value} {error.value.fix}"
    assert postgres(url, allow_remote=True).password == PASSWORD


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:{}@127.0.0.1/x",
        "postgresql:///x?host=10.0.0.1&p={}",
        "postgresql://u:{}@127.0.0.1/x?host=10.0.0.1",
        "postgresql://u:{}@127.0.0.1/x?HostAddr=10.0.0.1",
        "postgresql://u:{}@127.0.0.1/x?service=prod",
        "postgresql://u:{}@127.0.0.1,10.0.0.1/x",
        "postgresql://u:{}@127.0.0.1:port/x",
        "postgresql://u:{}@127.0.0.1:99999/x",
        "postgresql://u:{}@[::1/x",
        "{}",
    ],
)
def test_malformed_ones_and_detours_are_errors_that_quote_nothing(url: str) -> None:
    with pytest.raises(CbctlError) as error:
        postgres(url.format(PASSWORD))
    assert error.value.exit is Exit.USAGE
    assert PASSWORD not in f"{error.value} {error.value.fix}"
    assert error.value.__cause__ is None
