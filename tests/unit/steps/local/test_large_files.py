"""A file that is too large to be a program or an IDL is refused before a byte of it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.testbed.context import FakeContext

from cbctl.clients.solana.elf import BadElf
from cbctl.engine.step import Blocked
from cbctl.errors import CbctlError, Exit
from cbctl.local import artifacts
from cbctl.local.state import State
from cbctl.steps.local import artifact
from cbctl.steps.program import _material

HUGE = 30 << 30


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Sparse: it takes no room, and reading it would take minutes."""
    path = tmp_path / "huge.so"
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("CBCTL_STATE_DIR", str(tmp_path / "state"))
    return State.open("plat", "local")


def blocked(path: Path) -> str:
    inputs = artifact.Inputs("plat", "local", file=path, program=True)
    verdict = artifact.STEP.plan(inputs, artifact.STEP.observe(FakeContext(), inputs).facts)
    assert isinstance(verdict, Blocked)
    return verdict.why


def test_a_huge_file_is_not_kept(state: State, huge: Path) -> None:
    assert blocked(huge) == f"{huge} cannot be kept: it is larger than 10 MiB"
    with pytest.raises(CbctlError, match="larger than 10 MiB"):  # it grew after the plan
        artifacts.put_file(state, huge, limit=artifact.LIMIT)
    assert list((state.path / "artifacts").iterdir()) == []


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in blocked(tmp_path / "pipe")
    assert "not a regular file" in blocked(tmp_path)
    assert "there is no file" in blocked(tmp_path / "none")


def test_a_huge_program_or_idl_is_refused(huge: Path) -> None:
    with pytest.raises(BadElf, match="larger than 10 MiB"):
        _material.read_elf(huge)
    with pytest.raises(CbctlError, match="larger than 10 MiB") as error:
        _material.read_text(huge)
    assert error.value.exit is Exit.USAGE
