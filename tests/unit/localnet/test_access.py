"""Who may speak to the ports: hosts, origins, and what browsers are answered."""

from __future__ import annotations

import pytest

from cbctl.localnet.access import Access, parse_name, parse_origin

ACCESS = Access(frozenset({"localnet"}), frozenset({"http://app.example:3000"}))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost:", "127.0.0.1:8899", "[::1]:8899", "10.1.2.3", "[::2]"],
)
def test_this_machine_and_plain_addresses_are_hosts(host: str) -> None:
    assert Access().refusal(host, None) == ""


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", ":", "localhost:x", "a.localhost", "localhost.evil.example", "127.0.0.1.evil"),
        *("127.0.0.1:8899@evil.example", "::1", "[127.0.0.1]", "[::1", "127.1", "localhost:٣"),
        *("localnet", "[::1]x", "[::1]:80:80"),
    ],
)
def test_every_other_host_is_refused(host: str | None) -> None:
    assert Access().refusal(host, None) == "Host not allowed\n"


def test_a_name_that_was_allowed_is_a_host() -> None:
    assert ACCESS.refusal("LocalNet:8899", None) == ""


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://app.example:3000", True),
        ("HTTP://APP.example:3000", True),
        ("http://127.0.0.1:8899", True),  # the port itself, as some clients say
        ("http://127.0.0.1:3000", False),
        ("https://app.example:3000", False),
        ("http://app.example", False),
        ("http://app.example:3000.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_pages_that_were_invited_are_answered(origin: str | None, welcome: bool) -> None:
    assert (ACCESS.refusal("127.0.0.1:8899", origin) == "") is welcome
    invited = welcome and origin is not None and "app.example" in origin.lower()
    assert bool(ACCESS.headers(origin)) is invited
    assert bool(ACCESS.preflight(origin)) is invited


def test_an_answer_names_the_one_origin_it_is_for() -> None:
    shown = dict(ACCESS.preflight("http://app.example:3000"))
    assert shown["access-control-allow-origin"] == "http://app.example:3000"
    assert shown["vary"] == "origin"
    assert "access-control-allow-credentials" not in shown


@pytest.mark.parametrize(
    "text", ["", "*", "null", "app.example", "http://", "http://a/", "http://a/b", "http://a b"]
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin such as"):
        parse_origin(text)


def test_what_is_an_origin() -> None:
    assert parse_origin("https://App.example") == "https://app.example"
    assert parse_origin("chrome-extension://abcdef") == "chrome-extension://abcdef"


@pytest.mark.parametrize("text", ["", "*", "a:1", "a/b", "-a", "a b"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no name of a host"):
        parse_name(text)
