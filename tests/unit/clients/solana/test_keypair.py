from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from solders.keypair import Keypair

from cbctl.clients.solana import keypair
from cbctl.errors import CbctlError, Exit


def test_written_file_is_read_back_and_private(tmp_path: Path) -> None:
    key, path = Keypair(), tmp_path / "keys" / "wallet.json"
    keypair.write(path, key)
    assert keypair.read(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(path.read_text()) == list(bytes(key))
    assert os.listdir(path.parent) == ["wallet.json"]


def test_missing_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        keypair.write(tmp_path / "a" / "b" / "wallet.json", Keypair())
    finally:
        os.umask(old)
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_missing_file_is_no_error(tmp_path: Path) -> None:
    assert keypair.read(tmp_path / "none.json") is None


def test_file_is_never_overwritten(tmp_path: Path) -> None:
    path, first = tmp_path / "wallet.json", Keypair()
    keypair.write(path, first)
    with pytest.raises(CbctlError, match="never overwritten"):
        keypair.write(path, Keypair())
    assert keypair.read(path) == first
    assert os.listdir(tmp_path) == ["wallet.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "wallet.json"
    keypair.write(path, Keypair())
    path.chmod(mode)
    with pytest.raises(CbctlError, match="read by others") as caught:
        keypair.read(path)
    assert caught.value.fix == f"chmod 600 {path}"
    assert caught.value.exit == Exit.CREDENTIALS


def test_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", ""):
        with pytest.raises(CbctlError):
            keypair.read(tmp_path / name)


KEY = Keypair.from_seed(bytes(range(32)))
MIXED = bytes(KEY)[:32] + bytes(Keypair.from_seed(bytes(32)))[32:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        str(KEY),
        json.dumps(list(bytes(KEY))[:63]),
        json.dumps([*list(bytes(KEY))[:63], 256]),
        json.dumps([*list(bytes(KEY))[:63], "7"]),
        json.dumps(list(MIXED)),
        json.dumps(list(bytes(KEY)))[:-5],
    ],
)
def test_wrong_content_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(CbctlError) as caught:
        keypair.parse(text, "wallet.json")
    assert str(caught.value) == (
        "wallet.json: not a Solana keypair: a JSON array of 64 numbers whose halves belong together"
    )
    assert caught.value.__cause__ is None


def test_created_once_by_many(tmp_path: Path) -> None:
    path, found = tmp_path / "wallet.json", list[Keypair]()
    threads = [
        threading.Thread(target=lambda: found.append(keypair.read_or_create(path)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({str(key.pubkey()) for key in found}) == 1
    assert len(found) == 8
    assert os.listdir(tmp_path) == ["wallet.json"]
