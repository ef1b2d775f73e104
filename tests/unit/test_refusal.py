"""What the system refuses is told as such, and not as a defect of cbctl."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from tests.unit.engine.world import machine

from cbctl import app
from cbctl.__main__ import main
from cbctl.engine.world import guarded
from cbctl.errors import CbctlError, Exit, refusal
from cbctl.local.files import write_atomic, write_once


@pytest.mark.parametrize(
    ("number", "exit", "fix"),
    [
        (errno.ENOSPC, Exit.FAILED, "make room on this disk"),
        (errno.EDQUOT, Exit.FAILED, "make room on this disk"),
        (errno.EACCES, Exit.CREDENTIALS, "run cbctl as the user"),
        (errno.EROFS, Exit.CREDENTIALS, "CBCTL_STATE_DIR"),
        (errno.EISDIR, Exit.FAILED, "move it away"),
        (errno.EIO, Exit.FAILED, "health of this disk"),
        (errno.EMFILE, Exit.FAILED, "ulimit -n"),
    ],
)
def test_a_refusal_of_the_system(number: int, exit: Exit, fix: str) -> None:
    told = refusal(OSError(number, "text of the library", "/state/file"), "elsewhere")
    assert told is not None
    assert (told.what, told.exit, told.where) == (os.strerror(number), exit, "/state/file")
    assert fix in told.fix
    unnamed = refusal(OSError(number, ""), "elsewhere")
    assert unnamed is not None and unnamed.where == "elsewhere"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, ""), OSError("odd"), KeyError()])
def test_anything_else_is_a_defect(error: Exception) -> None:
    assert refusal(error) is None


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "")


def test_a_step_that_meets_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    with monkeypatch.context() as patch, pytest.raises(CbctlError) as caught:
        patch.setattr(os, "fsync", full)
        guarded(machine().world, "keys", "apply", lambda: write_atomic(path, b"x"))()
    error = caught.value
    assert (error.what, error.where) == ("No space left on device", str(path))
    assert (error.exit, error.fix) == (Exit.FAILED, "make room on this disk")
    with monkeypatch.context() as patch, pytest.raises(OSError) as refused:
        patch.setattr(os, "fsync", full)
        write_once(path, b"x")
    assert refused.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_meets_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/file")

    monkeypatch.setattr(app, "app", refused)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.FAILED
    assert capsys.readouterr().err == (
        "error: No space left on device\nwhere: /a/file\nfix: make room on this disk\n"
    )
