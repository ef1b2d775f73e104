"""Node and the npm packages of a test, installed once for each lock file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.testbed.beds import need

_MADE_OF = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_SECONDS = 180


def installed(sources: Path) -> Path:
    """A folder with the `node_modules` that a folder's lock file names."""
    need("node")
    files = [(sources / name).read_bytes() for name in _MADE_OF]
    digest = hashlib.sha256(b"\0".join(files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "cbctl-tests" / f"node-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            for name in _MADE_OF:
                shutil.copy(sources / name, folder / name)
            need("node", _install(folder))
            (folder / "done").touch()
    return folder


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
