"""What a service or a server says may hold what it was given: none of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_an_address_with_a_key_in_its_path_is_one() -> None:
    scrubber = Scrubber()
    scrubber.remember(Secret("https://rpc.example/v1/0123456789abcdef"))
    assert "0123" not in scrubber.scrub("https://rpc.example/v1/0123456789abcdef timed out")
