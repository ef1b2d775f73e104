"""Database URLs: what is refused, and that no message quotes the password."""

from __future__ import annotations

import traceback

import pytest

from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.connect import connect, scrub
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit

CANARY = "c4n4ry"

MALFORMED = [
    "",
    CANARY,
    f"{CANARY}://u:p@h/d",
    f"mysql://u:{CANARY}@h/d",
    f"postgresql:/u:{CANARY}@h/d",
    f"postgresql:u:{CANARY}@h/d",
    f" postgresql://u:{CANARY}@h/d",
    f"postgresql://u:{CANARY}@h/d\n",
    f"postgresql://u:{CANARY} x@h/d",
    f"postgresql://u:{CANARY}\tx@h/d",
    f"postgresql://u:{CANARY}\0x@h/d",
    f"postgresql://u:{CANARY}é@h/d",
    f"postgresql://u:{CANARY}%zz@h/d",
    f"postgresql://u:{CANARY}%@h/d",
    f"postgresql://u:{CANARY}%2@h/d",
    f"postgresql://u:{CANARY}%00@h/d",
    f"postgresql://u:{CANARY}%0a@h/d",
    f"postgresql://u:{CANARY}%ff@h/d",
    f"postgresql://u:{CANARY}#x@h/d",
    f"postgresql://u:{CANARY}/x@h/d",
    f"postgresql://u:1{CANARY}/x@h/d",
    f"postgresql://u:12/{CANARY}@h/d",
    f"postgresql://u:{CANARY}?x@h/d",
    f"postgresql://u:{CANARY}@x@h/d",
    f"postgresql://u:{CANARY}\\x@h/d",
    f"postgresql://:{CANARY}@h/d",
    "postgresql://h/d",
    f"postgresql://u:{CANARY}@/d",
    f"postgresql://u:{CANARY}@:5432/d",
    f"postgresql://u:{CANARY}@h",
    f"postgresql://u:{CANARY}@h/",
    f"postgresql://u:{CANARY}@h/d/e",
    f"postgresql://u:p@h:{CANARY}/d",
    f"postgresql://u:{CANARY}@h:0/d",
    f"postgresql://u:{CANARY}@h:65536/d",
    f"postgresql://u:{CANARY}@h:-1/d",
    f"postgresql://u:{CANARY}@h:/d",
    f"postgresql://u:{CANARY}@h,i/d",
    f"postgresql://u:{CANARY}@%2Frun%2Fpostgresql/d",
    f"postgresql://u:{CANARY}@[::1/d",
    f"postgresql://u:{CANARY}@[{CANARY}]/d",
    f"postgresql://u:{CANARY}@[::1]x/d",
    f"postgresql://u:p@-{CANARY}/d",
    f"postgresql://u:p@h/d?password={CANARY}",
    f"postgresql://u:p@h/d?{CANARY}=1",
    f"postgresql://u:p@h/d?{CANARY}",
    f"postgresql://u:p@h/d?sslmode={CANARY}",
    f"postgresql://u:p@h/d?connect_timeout={CANARY}",
    f"postgresql://u:{CANARY}@h/d?connect_timeout=0",
    f"postgresql://u:{CANARY}@h/d?sslmode=require&sslmode=disable",
    f"postgresql://u:{CANARY}@h/d?host=/run/postgresql",
    f"postgresql://u:{CANARY}@h/d?service=x",
    f"postgresql://u:{CANARY}@h/d?sslmode=require&",
    f"host=h user=u password={CANARY} dbname=d",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_malformed_urls_are_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(CbctlError) as caught:
        connect(Secret(url), where="environments.local.database.url")
    error = caught.value
    assert error.exit == Exit.USAGE
    assert error.where == "environments.local.database.url"
    assert CANARY not in "".join(traceback.format_exception(error)) + error.fix


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/d", ("h", 5432, "d", "u", "p")),
        ("postgres://u@h:1/d", ("h", 1, "d", "u", "")),
        ("postgresql://u%40x:a%2Fb%3F%23:c@db.example.com:65535/d%20e", None),
        ("postgresql://u:p@[2001:db8::1]:5433/d", ("2001:db8::1", 5433, "d", "u", "p")),
        ("postgresql://u:p@127.0.0.1/d?sslmode=disable", ("127.0.0.1", 5432, "d", "u", "p")),
    ],
)
def test_well_formed_urls(url: str, expected: tuple[object, ...] | None) -> None:
    found = parse(url)
    expected = expected or ("db.example.com", 65535, "d e", "u@x", "a/b?#:c")
    assert (found.host, found.port, found.database, found.user) == expected[:4]
    assert found.password.reveal() == expected[4]


def test_an_address_prints_without_its_password() -> None:
    found = parse(f"postgresql://u:{CANARY}@h:1/d")
    assert str(found) == "database d on h:1 as u"
    assert CANARY not in repr(found)


def test_scrub_knows_the_encoded_form() -> None:
    address = Address("h", 1, "d", "u", Secret("a/b c"))
    assert scrub("x a/b c y a%2Fb%20c z", address) == "x *** y *** z"
    assert scrub("as it is", Address("h", 1, "d", "u", Secret(""))) == "as it is"


@pytest.mark.parametrize(
    ("host", "kind"), [("127.0.0.1", "refused"), ("no-such-host.invalid", "no such host")]
)
def test_a_server_that_is_not_there(host: str, kind: str) -> None:
    with pytest.raises(CbctlError, match=kind) as caught:
        connect(f"postgresql://u:{CANARY}@{host}:1/d")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith(f"database d on {host}:1 as u: ")
