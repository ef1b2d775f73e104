"""Node and the npm packages of a test, installed once for each lock file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.testbed.beds import need
from tests.testbed.cached import cached

_MADE_OF = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_SECONDS = 180


def installed(sources: Path) -> Path:
    """A folder with the `node_modules` that a folder's lock file names."""
    need("node")

    def make(folder: Path) -> str:
        for name in _MADE_OF:
            shutil.copy(sources / name, folder / name)
        return _install(folder)

    return cached("node", [(sources / name).read_bytes() for name in _MADE_OF], make)


def _install(folder: Path) -> str:
    """Why it did not work, "" when it did."""
    try:
        done = subprocess.run(
            ["npm", "ci"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"npm ci: {error}"
    return "" if done.returncode == 0 else f"npm ci: {done.stderr[-500:]}"
