from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest

from cbctl.config.reference import BadReference, parse
from cbctl.config.types import Reference, Secret, as_text, host_only, is_loopback
from cbctl.config.urls import has_password

CANARY = "canary-4711"


@pytest.mark.parametrize(
    ("text", "kind", "name", "key", "optional"),
    [
        ("${env:NAME}", "env", "NAME", "", False),
        ("${env:NAME?}", "env", "NAME", "", True),
        ("${file:~/a b.json}", "file", "~/a b.json", "", False),
        ("${secret:db-owner#database-url}", "secret", "db-owner", "database-url", False),
        ("${state:jwt-secret}", "state", "jwt-secret", "", False),
        ("${key:guardian}", "key", "guardian", "", False),
    ],
)
def test_parse(text: str, kind: str, name: str, key: str, optional: bool) -> None:
    found = parse(text, where="f:1:2", setting="a.b")
    assert found is not None
    assert (found.kind, found.name, found.key, found.optional) == (kind, name, key, optional)
    assert str(found) == repr(found) == found.text == text
    assert found == parse(text)
    assert hash(found) == hash(parse(text))
    assert as_text(found) == text


@pytest.mark.parametrize("text", ["", "plain", "$HOME", "$(x)", "{env:X}", "a$b{c}"])
def test_ordinary_text(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "${env:A} ",
        "x${env:A}",
        "${env:A}${env:B}",
        "${env:}",
        "${env:1A}",
        "${env:A B}",
        "${env:A??}",
        "${ENV:A}",
        "${vault:a}",
        "${env}",
        "${",
        "${secret:a}",
        "${secret:A#k}",
        "${secret:a#}",
        "${state:../x}",
        "${state:.x}",
        "${state:a/b}",
        "${key:a?}",
        "${file:}",
        "${file:a\nb}",
        "${env:${env:A}}",
    ],
)
def test_not_well_formed(text: str) -> None:
    with pytest.raises(BadReference):
        parse(text)


def test_secret_never_shows() -> None:
    secret = Secret(CANARY)
    seen = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        f"{secret:>8}",
        "%s %r" % (secret, secret),  # noqa: UP031
        "{}".format(secret),  # noqa: UP032
        repr([secret, {"a": secret}]),
        json.dumps({"a": secret}, default=as_text),
        msgspec.json.encode({"a": secret}, enc_hook=as_text).decode(),
        repr(copy.deepcopy({"a": secret})),
        repr(getattr(secret, "__dict__", "")),
    ]
    assert CANARY not in " ".join(seen)
    assert "***" in seen[0]
    for refuses in (lambda: pickle.dumps(secret), lambda: json.dumps(secret)):
        with pytest.raises(TypeError) as caught:
            refuses()
        assert CANARY not in str(caught.value)
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY) != Secret("other")
    assert secret != CANARY
    assert not Secret("")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://rpc.example.com/{CANARY}", "https://rpc.example.com"),
        (f"https://{CANARY}.example.com@host:8899/x?k={CANARY}", "https://host:8899"),
        (f"https://u:{CANARY}@[::1]:1/", "https://[::1]:1"),
        (f"postgres://u:{CANARY}@h:99999/", "***"),
        (CANARY, "***"),
        ("", "***"),
        (f"https://[{CANARY}/", "***"),
    ],
)
def test_host_only(url: str, shown: str) -> None:
    assert host_only(url) == host_only(Secret(url)) == shown


def test_host_only_of_a_reference_is_its_text() -> None:
    assert host_only(Reference(kind="env", name="RPC")) == "${env:RPC}"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("postgres://u:p@127.0.0.1:5432/x", True),
        ("postgres://localhost/x", True),
        ("postgres://127.0.0.9/x", True),
        ("redis://[::1]:6379/0", True),
        ("postgres:///x?host=/run/postgresql", True),
        ("postgres://db.example.com/x", False),
        ("postgres://127.0.0.1,db.example.com/x", False),
        ("postgres://127.0.0.1/x?host=db.example.com", False),
        ("postgres://127.0.0.1/x?hostaddr=10.0.0.1", False),
        ("postgres://127.0.0.1/x?service=prod", False),
        ("postgres://127.0.0.1/x?host=db.example.com&host=127.0.0.1", False),
        ("postgres://%2Frun%2Fpostgresql/x", True),
        ("postgres://127.0.0.1@db.example.com/x", False),
        ("postgres://localhost.example.com/x", False),
        ("postgres:///x", False),
        ("postgres://0.0.0.0/x", False),
        ("host=db.example.com", False),
        ("", False),
        ("postgres://[oops/x", False),
    ],
)
def test_is_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgres://u:p@h/x", True),
        ("postgres://u@h/x", False),
        ("postgres://h/x?password=p", True),
        ("https://h/?api-key=1", True),
        ("https://h/", False),
        ("text", False),
        ("http://[broken", True),
    ],
)
def test_has_password(url: str, found: bool) -> None:
    assert has_password(url) is found
