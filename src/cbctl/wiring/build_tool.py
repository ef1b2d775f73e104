"""By which tool a program was built, in that tool's own words."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cbctl.errors import CbctlError
from cbctl.local import build_record
from cbctl.local.build_record import BuildRecord

TOOL = ("cargo", "build-sbf")
_VERSION_OF = "solana-cargo-build-sbf"
_PATIENCE = 300.0  # seconds; without a network it may look long for newer tools


def record(folder: Path, words: list[str], elf: Path, sha256: str) -> Path | None:
    """Writes beside the file by what it was built; None where that was another tool.

    folder  in which the words were run
    """
    if tuple(words[:2]) != TOOL:
        return None
    versions = _versions(folder)
    made = BuildRecord(
        sha256=sha256,
        tool=" ".join(TOOL),
        version=versions[_VERSION_OF],
        versions=versions,
        command=tuple(words),
        source=_source(folder),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return build_record.write(elf, made)


def _versions(folder: Path) -> dict[str, str]:
    """It prints one name and version on each line, its own first."""
    said = _said(folder, [*TOOL, "--version"])
    pairs = (line.rsplit(None, 1) for line in (said or "").splitlines())
    found = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    if _VERSION_OF not in found:
        raise CbctlError(
            "the program is built, but the tool does not tell its version",
            where=f"{' '.join(TOOL)} --version",
            fix="run that by hand to see what it says",
        )
    return found


def _source(folder: Path) -> dict[str, str | bool]:
    commit, tree = (_said(folder, ["git", "rev-parse", what]) for what in ("HEAD", "HEAD^{tree}"))
    changed = _said(folder, ["git", "status", "--porcelain"])
    if commit is None or tree is None or changed is None:
        return {}
    return {"commit": commit.strip(), "tree": tree.strip(), "unchanged": not changed.strip()}


def _said(folder: Path, words: list[str]) -> str | None:
    """None when it cannot be run, or fails."""
    try:
        ended = subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
