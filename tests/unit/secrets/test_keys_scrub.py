from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from solders.keypair import Keypair

from cbctl.config.types import Secret
from cbctl.errors import CbctlError, Exit
from cbctl.secrets.keys import KEYPAIR, LocalKeys
from cbctl.secrets.scrub import Scrubber

CANARY = "canary-4711"


def write(state: Path, name: str, text: str, mode: int = 0o600) -> None:
    folder = state / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / f"{KEYPAIR}{name}").write_text(text)
    (folder / f"{KEYPAIR}{name}").chmod(mode)


def test_a_generated_keypair(tmp_path: Path) -> None:
    pair = Keypair()
    write(tmp_path, "guardian", pair.to_json() + "\n")
    keys = LocalKeys(tmp_path)
    assert keys.has("guardian")
    assert keys.address("guardian") == str(pair.pubkey())
    assert Keypair.from_json(keys.keypair("guardian")) == pair


def test_no_such_keypair(tmp_path: Path) -> None:
    keys = LocalKeys(tmp_path / "sandbox")
    assert not keys.has("guardian")
    with pytest.raises(CbctlError, match="has no keypair `guardian` yet") as caught:
        keys.address("guardian")
    assert (caught.value.exit, caught.value.fix) == (Exit.USAGE, "cbctl deploy sandbox")


@pytest.mark.parametrize("text", ["", CANARY, "[1, 2]", f'["{CANARY}"]', "{}", "[" + "1," * 64])
def test_a_broken_keypair_is_not_repeated(tmp_path: Path, text: str) -> None:
    write(tmp_path, "guardian", text)
    with pytest.raises(CbctlError, match="this is no keypair") as caught:
        LocalKeys(tmp_path).address("guardian")
    assert caught.value.exit is Exit.USAGE
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_keypair_that_others_can_read(tmp_path: Path) -> None:
    write(tmp_path, "guardian", Keypair().to_json(), 0o640)
    with pytest.raises(CbctlError, match="others can read or change it"):
        LocalKeys(tmp_path).keypair("guardian")


def test_scrubbed() -> None:
    scrubber = Scrubber()
    for value in (f"postgres://u:p%40{CANARY}@h/x", f"{CANARY}\n", "yes", "a/b c d"):
        assert scrubber.remember(Secret(value)).reveal() == value
    text = f"connection to postgres://u:p%40{CANARY}@h/x failed for p@{CANARY}: a%2Fb%20c%20d yes"
    assert scrubber.scrub(text) == "connection to *** failed for ***: *** yes"
