"""What a service or a server says may hold what it was given: none of it is shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from solders.keypair import Keypair
from tests.testbed.canaries import Canaries

from cbctl.config.types import Secret
from cbctl.secrets.scrub import Scrubber


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    return tmp_path


def test_what_was_revealed_is_taken_out_in_every_form() -> None:
    scrubber = Scrubber()
    scrubber.remember(Secret("postgresql://app:p%40ss-word-1@db.example:5432/app"))
    told = "login of app with p@ss-word-1 (p%40ss-word-1) failed"
    assert scrubber.scrub(told) == "login of app with *** (***) failed"


def test_what_the_state_keeps_is_taken_out_though_nobody_revealed_it(state: Path) -> None:
    scrubber = Scrubber(state)
    assert scrubber.scrub("nothing yet") == "nothing yet"
    (state / "secrets" / "jwt-secret").write_text("canary-of-the-token\n")
    assert scrubber.scrub("JWT_SECRET=canary-of-the-token") == "JWT_SECRET=***"


def test_a_secret_that_was_replaced_is_known_too(state: Path) -> None:
    file = state / "secrets" / "redis-password"
    scrubber = Scrubber(state)
    file.write_text("first-canary")
    assert scrubber.scrub("first-canary") == "***"
    other = state / "secrets" / ".new"
    other.write_text("second-canary")
    other.replace(file)
    assert scrubber.scrub("second-canary") == "***"


def test_a_keypair_is_taken_out_however_it_is_spaced(state: Path) -> None:
    pair = "[" + ",".join(str(n) for n in range(64)) + "]"
    (state / "secrets" / "keypair-wallet").write_text(pair)
    scrubber = Scrubber(state)
    assert scrubber.scrub(f"read {pair}") == "read ***"
    assert scrubber.scrub(f"read {pair.replace(',', ', ')}") == "read ***"


def test_an_address_without_a_key_in_it_is_no_secret(state: Path) -> None:
    (state / "secrets" / "rpc-url").write_text("http://127.0.0.1:8899")
    scrubber = Scrubber(state)
    assert scrubber.scrub("chain at http://127.0.0.1:8899") == "chain at http://127.0.0.1:8899"


KEY = 'x7Kq+/ "9\\&%=é-Zw3rT8pLm2'


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        json.dumps(KEY),
        json.dumps({"JWT_SECRET": KEY}, ensure_ascii=False),
        repr({"JWT_SECRET": KEY}),
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        *(base64.b64encode(b"x" * before + KEY.encode() + b"..").decode() for before in range(3)),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
        KEY[:12],
        KEY[3:15],
        KEY[-9:],
        f"...{KEY[:-1]}",
    ],
)
def test_a_key_is_taken_out_in_every_form_and_in_part(form: str) -> None:
    scrubber, canaries = Scrubber(), Canaries(1)
    scrubber.remember(Secret(KEY))
    canaries.add("key", KEY)
    assert canaries.seen(form) == {"key"}
    assert canaries.seen(scrubber.scrub(f"it says {form}, and ends")) == set()


def test_a_keypair_is_taken_out_in_every_form_and_in_part() -> None:
    scrubber, canaries = Scrubber(), Canaries(1)
    text = canaries.keypair("wallet")
    scrubber.remember(Secret(text))
    pair = Keypair.from_json(text)
    seed = bytes(pair)[:32]
    for form in (str(pair), seed.hex(), repr(list(seed)), repr(list(seed[:9])), text[:60]):
        assert canaries.seen(form) == {"wallet"}
        assert canaries.seen(scrubber.scrub(f"read {form}")) == set()


def test_what_is_no_key_stays_legible() -> None:
    scrubber = Scrubber()
    for value in (
        "postgresql://owner:local-development@127.0.0.1:5432/postgres?sslmode=disable",
        "https://rpc.example.com/services/solana-mainnet?network=mainnet-beta",
        "local-development-password",
        "/home/anna/.config/keys",
    ):
        scrubber.remember(Secret(value))
    for text in (
        "development of postgresql on 127.0.0.1:5432/postgres, sslmode=disable",
        "services of solana-mainnet at rpc.example.com, mainnet-beta",
        "the password of /home/anna",
    ):
        assert scrubber.scrub(text) == text


def test_an_address_with_a_key_in_its_path_is_one() -> None:
    scrubber = Scrubber()
    scrubber.remember(Secret("https://rpc.example/v1/0123456789abcdef"))
    assert "0123" not in scrubber.scrub("https://rpc.example/v1/0123456789abcdef timed out")
    assert scrubber.scrub("POST /v1/0123456789abcdef HTTP/1.1") == "POST /v1/*** HTTP/1.1"
    scrubber.remember(Secret("wss://rpc.example/?api-key=zz9-plural-Z-alpha&x=1"))
    assert scrubber.scrub("key zz9-plural-Z-alpha") == "key ***"
