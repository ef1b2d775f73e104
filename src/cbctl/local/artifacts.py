"""What a local release runs from: copies named by their sha256, so that editing the source
changes nothing that runs.

A tree lies at `artifacts/<sha256>/<its name>/`, a single file at `artifacts/<sha256>/file`.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import PRIVATE_FOLDER, read_limited, sync_folder, write_atomic
from cbctl.local.state import State, checked_name

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = "file"
_BESIDE = ".new-"


def tree_sha256(folder: Path) -> str:
    """Hash of a tree: its name, and of each entry the relative name, kind, mode and content.

    Of the mode only "executable" counts, because the umask of a checkout decides the rest.
    `__pycache__` and `*.pyc` do not count. Exit.REFUSED for links that lead outside and for
    anything that is not a file, folder or link.
    """
    total = hashlib.sha256(f"tree {_name(folder)}\n".encode())
    for path, mode in _entries(folder):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISLNK(mode):
            kind, content = "link", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        elif stat.S_ISDIR(mode):
            kind, content = "folder", ""
        else:
            kind, content = "program" if mode & 0o100 else "file", file_sha256(path)
        total.update(f"{kind} {len(os.fsencode(name))} ".encode() + os.fsencode(name))
        total.update(f" {content}\n".encode())
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_tree(state: State, folder: Path) -> str:
    """Copy a source tree into the state; returns its sha256, that of the copy."""
    if not folder.is_dir():
        raise CbctlError("no such folder", exit=Exit.USAGE, where=str(folder))
    known = tree_sha256(folder)
    if _complete(state, known):
        return known
    beside = _beside(state)
    try:
        copy = beside / _name(folder)
        copy.mkdir()
        for path, mode in _entries(folder):
            target = copy / path.relative_to(folder)
            if stat.S_ISLNK(mode):
                target.symlink_to(path.readlink())
            elif stat.S_ISDIR(mode):
                target.mkdir()
            else:
                _copy(path, target, 0o755 if mode & 0o100 else 0o644)
        # The source may have been edited meanwhile: the name must be that of what was copied.
        return _finish(state, beside, tree_sha256(copy))
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def put_file(state: State, path: Path, *, limit: int) -> str:
    """Copy one file of at most `limit` bytes into the state; returns the sha256 of its content."""
    try:
        content = read_limited(path, limit)
    except OSError as error:
        raise CbctlError(str(error.strerror), exit=Exit.USAGE, where=str(path)) from None
    beside = _beside(state)
    try:
        copy = beside / _FILE
        write_atomic(copy, content, mode=0o644)
        return _finish(state, beside, hashlib.sha256(content).hexdigest())
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def verified(state: State, sha256: str) -> Path:
    """The folder (of a tree, to be put on a path) or file of an artifact, its content checked.

    Errors: Exit.REFUSED when it is not there or is not what its name says.
    """
    folder = _folder(state, sha256)
    if not folder.is_dir():
        raise CbctlError(
            f"artifact {sha256[:12]} is not kept on this machine",
            exit=Exit.REFUSED,
            where=str(folder),
            fix=f"deploy from the source again: cbctl deploy {state.environment}",
        )
    if not _complete(state, sha256):
        raise CbctlError(
            f"artifact {sha256[:12]} was changed after it was stored",
            exit=Exit.REFUSED,
            where=str(folder),
            fix=f"remove {folder} and deploy from the source again:"
            f" cbctl deploy {state.environment}",
        )
    file = folder / _FILE
    return file if file.is_file() else folder


def is_kept(state: State, sha256: str) -> bool:
    """Whether the artifact is there and is what its name says."""
    return _complete(state, sha256)


def prune(state: State, keep: Iterable[str]) -> list[str]:
    """Remove the artifacts that are not in `keep`, and unfinished copies; returns what went."""
    kept, gone = set(keep), []
    for folder in sorted((state.path / "artifacts").iterdir()):
        if folder.name in kept:
            continue
        if _SHA256.fullmatch(folder.name):
            # Renamed first: a half-removed artifact must not keep its name.
            away = folder.with_name(f"{_BESIDE}{secrets.token_hex(4)}")
            folder.rename(away)
            shutil.rmtree(away)
            gone.append(folder.name)
        elif folder.name.startswith(_BESIDE):
            shutil.rmtree(folder)
    return gone


def _entries(folder: Path) -> Iterator[tuple[Path, int]]:
    """All entries below `folder` with their modes, sorted by name, parents first."""
    inside = folder.resolve()
    for path in sorted(folder.iterdir()):
        if path.name == "__pycache__" or path.name.endswith(".pyc"):
            continue
        yield from _below(path, inside)


def _below(path: Path, inside: Path) -> Iterator[tuple[Path, int]]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = path.readlink()
        if target.is_absolute() or not path.resolve().is_relative_to(inside):
            raise _refused(path, f"the link leads outside of the tree, to {target}")
    elif not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise _refused(path, "neither a file nor a folder nor a link")
    yield path, mode
    if stat.S_ISDIR(mode):
        for child in sorted(path.iterdir()):
            if child.name != "__pycache__" and not child.name.endswith(".pyc"):
                yield from _below(child, inside)


def _refused(path: Path, why: str) -> CbctlError:
    return CbctlError(why, exit=Exit.REFUSED, where=str(path), fix="replace it by a plain file")


def _name(folder: Path) -> str:
    return checked_name(folder.resolve().name)


def _folder(state: State, sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise CbctlError(f"{sha256!r} is not a sha256", exit=Exit.USAGE)
    return state.path / "artifacts" / sha256


def _complete(state: State, sha256: str) -> bool:
    folder = _folder(state, sha256)
    if not folder.is_dir():
        return False
    content = list(folder.iterdir())
    if len(content) != 1:
        return False
    [item] = content
    found = tree_sha256(item) if item.is_dir() else file_sha256(item)
    return found == sha256


def _beside(state: State) -> Path:
    folder = state.path / "artifacts" / f"{_BESIDE}{secrets.token_hex(4)}"
    folder.mkdir(mode=PRIVATE_FOLDER)
    return folder


def _copy(source: Path, target: Path, mode: int) -> None:
    with source.open("rb") as read, target.open("xb") as write:
        shutil.copyfileobj(read, write)
        write.flush()
        os.fchmod(write.fileno(), mode)
        os.fsync(write.fileno())


def _finish(state: State, beside: Path, sha256: str) -> str:
    folder = _folder(state, sha256)
    if not _complete(state, sha256):
        if folder.exists():  # damaged: the fresh copy takes its place
            shutil.rmtree(folder)
        sync_folder(beside)
        beside.rename(folder)
        sync_folder(folder.parent)
    return sha256
