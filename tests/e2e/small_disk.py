"""A platform whose state folder is on a disk of a few megabytes, which can be full."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.rigged import Rigged

# The disk is a tmpfs in a mount namespace, which lives as long as this process.
_KEEPER = 'mount -t tmpfs -o size="$1"m,mode=700 small "$0" && echo ready && exec sleep infinity'
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass
class SmallDisk(Rigged):
    keeper: int = 0

    def mount(self, megabytes: int) -> subprocess.Popen[bytes]:
        """The process that keeps the disk."""
        self.root.mkdir(mode=0o700)
        command = [*_NAMESPACE, "sh", "-c", _KEEPER, str(self.root), str(megabytes)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        self.keeper = process.pid
        return process

    def resize(self, megabytes: int) -> None:
        words = ("mount", "-o", f"remount,size={megabytes}m", str(self.root))
        subprocess.run([*self._inside(), *words], check=True)

    @property
    def launcher(self) -> list[str]:
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.folder)]
        return [*self._inside(), *there, *super().launcher]

    @property
    def disk(self) -> Path:
        """As seen from outside."""
        return Path(f"/proc/{self.keeper}/root{self.root}")

    @property
    def state(self) -> Path:
        return self.disk / "crypto-bet" / "local"

    def fill(self) -> None:
        there = ("dd", "if=/dev/zero", f"of={self.root / 'fill'}", "bs=4096")
        done = subprocess.run([*self._inside(), *there], capture_output=True, text=True)
        assert "No space left on device" in done.stderr, done.stderr

    def free(self) -> None:
        (self.disk / "fill").unlink()

    def _inside(self) -> list[str]:
        target = ["nsenter", "--target", str(self.keeper)]
        return [*target, "--user", "--mount", "--preserve-credentials", "--"]
