"""Snapshots as files: what comes back, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from tests.unit.localnet.test_store import ACCOUNTS, HEAD

from cbctl.localnet import snapshots
from cbctl.localnet.errors import SnapshotError
from cbctl.localnet.snapshots import Named


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.snapshot"
    assert snapshots.write(path, HEAD, ACCOUNTS.items()) == len(ACCOUNTS)
    return path


def test_everything_comes_back_from_a_private_file(path: Path) -> None:
    snapshot = snapshots.read(path)
    assert snapshot.head == HEAD
    assert list(snapshot.accounts()) == list(ACCOUNTS.items())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["a.snapshot"]


def test_an_equal_chain_gives_an_equal_file(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "b"
    snapshots.write(other, HEAD, ACCOUNTS.items())
    assert other.read_bytes() == path.read_bytes()


def test_one_that_was_torn_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    small = [*range(200), *range(200, len(whole), 5_003), len(whole) - 1]
    for length in small:
        path.write_bytes(whole[:length])
        with pytest.raises(SnapshotError):
            snapshots.read(path)


def test_one_that_was_changed_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for at in [*range(100), *range(100, len(whole), 5_003), len(whole) - 1]:
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(SnapshotError):
            snapshots.read(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(SnapshotError, match="not whole"):
        snapshots.read(path)


def test_what_is_wrong_is_said(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="No such file"):
        snapshots.read(tmp_path / "none")
    (tmp_path / "other").write_text("something else that is long enough")
    with pytest.raises(SnapshotError, match="no snapshot of a localnet"):
        snapshots.read(tmp_path / "other")
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="format 9, this localnet reads format 1"):
        snapshots.read(path)


def test_a_write_that_fails_leaves_the_file_before_it(path: Path) -> None:
    whole = path.read_bytes()

    def broken() -> object:
        yield Pubkey.default(), next(iter(ACCOUNTS.values()))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        snapshots.write(path, HEAD, broken())  # type: ignore[arg-type]
    assert path.read_bytes() == whole
    assert [p.name for p in path.parent.iterdir()] == ["a.snapshot"]


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "/a", ".a", "a\0", "ä", "x" * 65])
def test_a_name_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    for ask in (Named(tmp_path).place, Named(tmp_path).find):
        with pytest.raises(SnapshotError, match="cannot name"):
            ask(name)


def test_there_are_only_so_many(tmp_path: Path) -> None:
    named = Named(tmp_path)
    for number in range(snapshots.MAX_NAMED):
        named.place(f"s{number}").touch()
    with pytest.raises(SnapshotError, match="64 snapshots already"):
        named.place("one-more")
    named.place("s0")  # may be replaced
    assert len(named.names()) == snapshots.MAX_NAMED
    with pytest.raises(SnapshotError, match="no snapshot 'other'; there are: s0, s1"):
        named.find("other")
