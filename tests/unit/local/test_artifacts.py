"""Artifacts: the hash of a tree, copies that are complete or absent, pruning."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.local import artifacts
from cbctl.local.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open("plat", "local", root=tmp_path / "root")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text("x = 1\n")
    (folder / "sub" / "data.sql").write_text("select 1\n")
    (folder / "link").symlink_to("sub/data.sql")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    return folder


def test_what_counts_in_the_hash(tree: Path, tmp_path: Path) -> None:
    first = artifacts.tree_sha256(tree)
    copy = tmp_path / "elsewhere" / "service"
    shutil.copytree(tree, copy, symlinks=True)
    assert artifacts.tree_sha256(copy) == first
    # A checkout with another umask, bytecode and times do not count.
    (copy / "__init__.py").chmod(0o600)
    os.utime(copy / "__init__.py", (1, 1))
    (copy / "sub" / "__pycache__").mkdir()
    (copy / "sub" / "__pycache__" / "a.pyc").write_bytes(b"1")
    (copy / "b.pyc").write_bytes(b"1")
    assert artifacts.tree_sha256(copy) == first
    seen = {first}
    (copy / "run").chmod(0o644)
    seen.add(artifacts.tree_sha256(copy))
    (copy / "__init__.py").write_text("x = 2\n")
    seen.add(artifacts.tree_sha256(copy))
    (copy / "__init__.py").rename(copy / "init.py")
    seen.add(artifacts.tree_sha256(copy))
    (copy / "empty").mkdir()
    seen.add(artifacts.tree_sha256(copy))
    (copy / "link").unlink()
    (copy / "link").symlink_to("run")
    seen.add(artifacts.tree_sha256(copy))
    copy = copy.rename(copy.with_name("other"))
    seen.add(artifacts.tree_sha256(copy))
    assert len(seen) == 7


def test_a_name_cannot_be_moved_into_a_content(tmp_path: Path) -> None:
    one, two = tmp_path / "1" / "t", tmp_path / "2" / "t"
    for folder in (one, two):
        folder.mkdir(parents=True)
    (one / "a").write_text("")
    (one / "b").write_text("")
    (two / "a b").write_text("")
    assert artifacts.tree_sha256(one) != artifacts.tree_sha256(two)


def test_put_is_importable_and_independent_of_the_source(state: State, tree: Path) -> None:
    sha256 = artifacts.put_tree(state, tree)
    assert sha256 == artifacts.tree_sha256(tree)
    folder = artifacts.verified(state, sha256)
    (tree / "__init__.py").write_text("x = 2\n")
    assert (folder / "service" / "__init__.py").read_text() == "x = 1\n"
    assert (folder / "service" / "link").is_symlink()
    assert os.access(folder / "service" / "run", os.X_OK)
    assert artifacts.put_tree(state, tree) != sha256
    assert [p for p in (state.path / "artifacts").iterdir() if p.name.startswith(".")] == []


def test_a_changed_artifact_is_noticed_and_put_again(state: State, tree: Path) -> None:
    sha256 = artifacts.put_tree(state, tree)
    file = artifacts.verified(state, sha256) / "service" / "__init__.py"
    file.write_text("evil\n")
    assert not artifacts.is_kept(state, sha256)
    with pytest.raises(CbctlError, match="was changed") as error:
        artifacts.verified(state, sha256)
    assert error.value.exit is Exit.REFUSED
    assert artifacts.put_tree(state, tree) == sha256
    assert file.read_text() == "x = 1\n"


def test_files(state: State, tmp_path: Path) -> None:
    elf = tmp_path / "program.so"
    elf.write_bytes(b"\x7fELF" + bytes(1000))
    sha256 = artifacts.put_file(state, elf, limit=1 << 20)
    assert sha256 == artifacts.file_sha256(elf)
    assert artifacts.verified(state, sha256).read_bytes() == elf.read_bytes()
    assert artifacts.put_file(state, elf, limit=1 << 20) == sha256


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_links_that_lead_outside_are_refused(
    state: State, tree: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    (tree / "bad").symlink_to(target)
    with pytest.raises(CbctlError, match="leads outside") as error:
        artifacts.put_tree(state, tree)
    assert error.value.exit is Exit.REFUSED
    assert list((state.path / "artifacts").iterdir()) == []


def test_special_files_are_refused(state: State, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(CbctlError, match="neither a file"):
        artifacts.put_tree(state, tree)


def test_missing_ones(state: State, tmp_path: Path) -> None:
    with pytest.raises(CbctlError, match="not kept"):
        artifacts.verified(state, "0" * 64)
    with pytest.raises(CbctlError, match="not a sha256"):
        artifacts.verified(state, "../secrets")
    with pytest.raises(CbctlError, match="no such folder"):
        artifacts.put_tree(state, tmp_path / "none")
    with pytest.raises(CbctlError, match="No such file"):
        artifacts.put_file(state, tmp_path / "none", limit=1)


def test_prune_keeps_what_is_named(state: State, tree: Path) -> None:
    first = artifacts.put_tree(state, tree)
    (tree / "new.py").write_text("")
    second = artifacts.put_tree(state, tree)
    (state.path / "artifacts" / ".new-interrupted").mkdir()
    assert artifacts.prune(state, {second}) == [first]
    assert [p.name for p in (state.path / "artifacts").iterdir()] == [second]
