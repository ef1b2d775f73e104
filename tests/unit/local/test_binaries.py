"""Which programs are found, and which one is chosen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cbctl.errors import CbctlError
from cbctl.local import binaries
from cbctl.local.binaries import Binary, chosen, remember

OLD = Binary("system", 15, Path("/old"))
NEW = Binary("wheel", 18, Path("/new"))


def test_the_interpreter_has_one_name() -> None:
    code = "from cbctl.local.binaries import python; print(python())"
    names = [Path(sys.prefix) / "bin" / name for name in ("python", "python3", "python3.11")]
    told = {
        subprocess.run([name, "-c", code], capture_output=True, text=True, check=True).stdout
        for name in names
        if name.exists()
    }
    assert told <= {f"{binaries.python()}\n"}


def test_what_is_installed_can_be_run() -> None:
    for binary in [*binaries.postgres_binaries(), *binaries.redis_binaries()]:
        told = subprocess.run(
            [binary.path, "--version"], capture_output=True, text=True, check=True
        )
        assert str(binary.major) in told.stdout
    assert [b.major for b in binaries.postgres_binaries() if b.major < 15] == []


def test_the_preferred_one_is_first_and_the_stored_one_goes_before(tmp_path: Path) -> None:
    def find() -> list[Binary]:
        return [OLD, NEW]

    assert chosen("X", tmp_path, find, fix="fix", reset="reset") == OLD
    assert list(tmp_path.iterdir()) == []  # choosing stores nothing
    remember(tmp_path, NEW)
    assert chosen("X", tmp_path, find, fix="fix", reset="reset") == NEW


def test_the_same_major_version_of_another_kind_will_do(tmp_path: Path) -> None:
    remember(tmp_path, Binary("wheel", 15, Path("/gone")))
    assert chosen("X", tmp_path, lambda: [OLD, NEW], fix="fix", reset="reset") == OLD
    both = [OLD, Binary("wheel", 15, Path("/back"))]
    assert chosen("X", tmp_path, lambda: both, fix="fix", reset="reset").path == Path("/back")


def test_a_major_version_that_is_gone_is_refused(tmp_path: Path) -> None:
    remember(tmp_path, OLD)
    with pytest.raises(CbctlError, match=r"made by version 15 \(system\).*there is: 18 \(wheel\)"):
        chosen("X", tmp_path, lambda: [NEW], fix="fix", reset="reset")
    with pytest.raises(CbctlError, match="no program for X") as error:
        chosen("X", tmp_path / "empty", list, fix="install it", reset="reset")
    assert error.value.fix == "install it"
