"""A disk that may lose its power at any call: what was synced is there afterwards, and of the rest
anything or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

Luck = Literal["synced", "names", "content", "all", "torn", "zeros"]
"""What was lucky to be written although nobody had waited for it: nothing, names in folders,
content of files, both; both, but of the new content the first half, or zeros in its place."""

LUCK: tuple[Luck, ...] = ("synced", "names", "content", "all", "torn", "zeros")


class PowerCut(BaseException):
    """Nobody sees this one."""


@dataclass
class Disk:
    """Watches the calls on a real folder; dies before its n-th one (0: never).

    names    of each folder as last synced, by inode: name → inode
    content  of each file as last synced, by inode
    held     keeps the inodes of files that were removed from being used again
    """

    root: Path
    dies_at: int = 0
    calls: int = 0
    names: dict[int, dict[str, int]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("mkdir", "pwrite", "ftruncate", "rename", "replace", "link", "unlink"):
            patch.setattr(os, name, self._counted(getattr(os, name)))
        patch.setattr(os, "fsync", self._counted(self._synced))
        patch.setattr(os, "open", self._opening(os.open))

    def close(self) -> None:
        while self.held:
            os.close(self.held.pop())

    def cut(self, luck: Luck, target: Path) -> None:
        """Puts what is left of the folder into `target`."""
        target.mkdir()
        self._left(self.root, self.root.stat().st_ino, luck, target)

    def _counted(self, call: Any) -> Any:
        def counted(*arguments: Any, **more: Any) -> Any:
            self._point()
            return call(*arguments, **more)

        return counted

    def _opening(self, call: Any) -> Any:
        def opening(path: Any, flags: int, *arguments: Any, **more: Any) -> int:
            new = flags & os.O_CREAT and not os.path.exists(path)
            if new:
                self._point()
            opened: int = call(path, flags, *arguments, **more)
            if new:
                self.content[os.fstat(opened).st_ino] = b""
                self.held.append(call(path, os.O_RDONLY))
            return opened

        return opening

    def _point(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise PowerCut

    def _synced(self, fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = {p.name: p.stat().st_ino for p in path.iterdir()}
        else:
            self.content[inode] = path.read_bytes()

    def _left(self, now: Path, inode: int, luck: Luck, target: Path) -> None:
        current = {p.name: p.stat().st_ino for p in now.iterdir()} if now.is_dir() else {}
        lucky = luck not in ("synced", "content")
        for name, child in (current if lucky else self.names.get(inode, {})).items():
            if child in self.content:
                (target / name).write_bytes(self._bytes(child, luck))
            else:
                (target / name).mkdir()
                self._left(now / name, child, luck, target / name)

    def _bytes(self, inode: int, luck: Luck) -> bytes:
        synced = self.content[inode]
        written = next(
            (p.read_bytes() for p in self.root.rglob("*") if p.stat().st_ino == inode), synced
        )
        more = len(written) - len(synced)
        match luck:
            case "synced" | "names":
                return synced
            case "torn" if more > 0:
                return written[: len(synced) + more // 2]
            case "zeros" if more > 0:
                return synced + bytes(more)
        return written
