"""Somebody who is not root, with a copy of the checkout that is theirs to read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from tests.e2e.support import REPOSITORY, Platform
from tests.testbed.beds import need

NOBODY = 65534
CAN_RUN = """
import subprocess, sys
import granian, psutil, redis.asyncio, solders
assert sys.version_info >= (3, 11)
subprocess.run([sys.executable, "-c", ""], check=True)
"""


@dataclass
class OrdinaryUser(Platform):
    """cbctl under another user, by an interpreter that this user may run."""

    python: str = ""

    @property
    def launcher(self) -> list[str]:
        return [*as_nobody(), self.python, "-m", "cbctl"]


def as_nobody() -> list[str]:
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def venv_in(home: Path) -> str:
    """The interpreter of a virtual environment with what ours has; "" when none can be made that
    this user may run: the interpreter of root's own may lie where nobody else can go."""
    packages = Path(psycopg.__file__).parents[1]
    for base in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        made = home / "venv"
        command = [base, "-m", "venv", "--without-pip", "--clear", str(made)]
        if not Path(base).exists() or subprocess.run(command, capture_output=True).returncode:
            continue
        (inside,) = made.glob("lib/python*/site-packages")
        (inside / "checkout.pth").write_text(f"{home / 'src'}\n{packages}\n")
        # redis wants this module of every Python before 3.11.3, and ours may be newer
        (inside / "async_timeout.py").write_text("from asyncio import timeout as timeout\n")
        python = str(made / "bin" / "python")
        check = subprocess.run([*as_nobody(), python, "-c", CAN_RUN], cwd="/", capture_output=True)
        if check.returncode == 0:
            return python
    return ""


@pytest.fixture
def home() -> Iterator[Path]:
    """pytest's own folders are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="cbctl-user-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_an_ordinary_user_deploys_and_resets(home: Path) -> None:
    need("ordinary-user")
    python = venv_in(home)
    if not python:
        need("ordinary-user", "there is no Python that an ordinary user may run")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "src", home / "src", ignore=ignore)
    shutil.copytree(REPOSITORY / "runbooks", home / "runbooks")
    platform = OrdinaryUser.make(home)
    assert isinstance(platform, OrdinaryUser)
    platform.python = python
    platform.variables = {"HOME": str(home), "PYTHONPATH": ""}
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    try:
        assert platform.deploy()["release"] == "r1"
        assert platform.deploy()["changes"] == []
        platform.run("health", "local").ended(0)
        files = list(platform.state.rglob("*"))
        assert {path.lstat().st_uid for path in files} == {NOBODY}
        assert all(path.lstat().st_mode & 0o022 == 0 for path in files)
        assert platform.root.stat().st_mode & 0o077 == 0
        assert {process.uids().real for process in platform.processes()} == {NOBODY}
    finally:
        platform.end()
