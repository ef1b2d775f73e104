"""An environment with anchorpy, whose pins exclude those of this project. Installed once for each
lock file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.testbed.cached import cached

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "anchorpy.txt"
_INSTALL_SECONDS = 180


def python() -> Path:
    """The interpreter that can import it."""
    made_of = [REQUIREMENTS.read_bytes(), sys.version.encode()]
    return cached("anchorpy", made_of, _make) / "environment" / "bin" / "python"


def _make(folder: Path) -> str:
    uv = Path(sys.executable).with_name("uv")
    environment = folder / "environment"
    options = ["--require-hashes", "--python", str(environment / "bin" / "python")]
    for command in (
        [uv, "venv", "-q", "--clear", "--python", sys.executable, environment],
        [uv, "pip", "sync", "-q", *options, REQUIREMENTS],
    ):
        try:
            done = subprocess.run(
                [str(word) for word in command],
                env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"uv: {error}"
        if done.returncode:
            return f"uv: {done.stderr[-500:]}"
    return ""
