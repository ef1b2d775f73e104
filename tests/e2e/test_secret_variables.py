"""Secrets of the platform's owner, given to the API by reference: they reach its process and
nothing else."""

from __future__ import annotations

from pathlib import Path

import psutil
from tests.e2e.support import Platform


def test_a_secret_of_env_local_is_seen_by_the_api_alone(platform: Platform) -> None:
    last = "        PROGRAM_ID: ${key:program}\n"
    platform.edit(
        last, f"{last}        PARTNER: ${{env:PARTNER}}\n        LETTER: ${{file:letter}}\n"
    )
    _give(platform.folder / ".env.local", "PARTNER=canary-of-the-partner\n")
    _give(platform.folder / "letter", "canary-in-the-letter\n")
    platform.known_secrets |= {"canary-of-the-partner", "canary-in-the-letter"}

    platform.deploy()
    seen = psutil.Process(platform.pids()["api"]).environ()
    assert seen["PARTNER"] == "canary-of-the-partner"
    assert seen["LETTER"] == "canary-in-the-letter"
    assert "nothing to do" in platform.run("deploy", "local").ended(0).err

    _give(platform.folder / ".env.local", "PARTNER=canary-that-is-new\n")
    platform.known_secrets.add("canary-that-is-new")
    plan = platform.run("deploy", "local", "--plan").ended(2).out
    assert "api settings" in plan
    changed = platform.deploy()["changes"]
    assert [change["what"] for change in changed] == ["api settings"]
    assert psutil.Process(platform.pids()["api"]).environ()["PARTNER"] == "canary-that-is-new"
    # Not in output, specs, journal, logs, release, artifacts nor on any command line.
    assert platform.shown_secrets() == []


def _give(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
