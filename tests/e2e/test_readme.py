"""What the README tells people to type."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.e2e.support import CBCTL, REPOSITORY

_BLOCK = re.compile(r"^```(?:sh|bash|console|shell)?\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`(cbctl [^`\n]+)`")
_PLACEHOLDER = re.compile(r"[A-Z_]+|…|\.\.\.|\[.*|<.*")


def commands() -> list[str]:
    """Every `cbctl …` of the README: in code blocks and between backticks."""
    text = (REPOSITORY / "README.md").read_text()
    found = _INLINE.findall(text)
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            typed = re.sub(r"^(\$ |# )", "", line.strip())
            found += [p for p in re.split(r"\s{2,}|#|&&|\|", typed) if p.startswith("cbctl ")]
    return sorted({command.strip() for command in found})


def words_of(command: str) -> tuple[list[str], set[str]]:
    """The command's own words (deploy; local, logs) and its options."""
    words = command.split()[1:]
    options = {w.partition("=")[0] for w in words if w.startswith("-")}
    own: list[str] = []
    for word in words:
        if word.startswith("-") or _PLACEHOLDER.fullmatch(word):
            break
        own.append(word)
    return own, options


@pytest.mark.parametrize("command", commands() or ["cbctl --help"])
def test_every_command_of_the_readme_is_there(command: str) -> None:
    own, options = words_of(command)
    told = ""
    # `deploy local` is a command and an argument, `local logs api` a group, a command and one.
    for length in range(1, len(own) + 1):
        done = subprocess.run(
            [CBCTL, *own[:length], "--help"], capture_output=True, text=True, cwd=REPOSITORY
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        told = done.stdout
    if not own:
        told = subprocess.run([CBCTL, "--help"], capture_output=True, text=True).stdout
    missing = [o for o in options if not re.search(rf"(^|[\s,]){re.escape(o)}\b", told, re.M)]
    assert not missing, f"{command}: {missing} in\n{told}"
