"""Whose `cbctl.yaml` is used when it was found and not named."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from tests.testbed.beds import need

from cbctl.config.load import find_config
from cbctl.errors import CbctlError, Exit

STRANGER = 54321


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """In a folder of its own, and searched from a folder below."""
    (tmp_path / "project" / "below").mkdir(parents=True)
    path = tmp_path / "project" / "cbctl.yaml"
    path.write_text("version: 1\n")
    path.chmod(0o644)
    path.parent.chmod(0o755)
    return path


def _found(file: Path) -> Path:
    return find_config(file.parent / "below", variables={})


def _refused(file: Path) -> CbctlError:
    with pytest.raises(CbctlError) as caught:
        _found(file)
    assert caught.value.exit is Exit.REFUSED
    assert caught.value.where == str(file)
    assert f"--config {file}" in caught.value.fix
    assert f"CBCTL_CONFIG={file}" in caught.value.fix
    # Named, it is used: that is the fix.
    assert find_config(file.parent, str(file), {}) == file
    assert find_config(file.parent, None, {"CBCTL_CONFIG": str(file)}) == file
    return caught.value


def _as(uid: int, code: str) -> str:
    """What a Python of that user prints."""
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    command += [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_ones_own_is_used(file: Path) -> None:
    assert _found(file) == file


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_file_that_anybody_can_change(file: Path, mode: int) -> None:
    file.chmod(mode)
    error = _refused(file)
    assert pwd.getpwuid(os.geteuid()).pw_name in error.what
    assert f"mode {mode:04o}" in error.what


def test_a_folder_that_anybody_can_change(file: Path) -> None:
    file.parent.chmod(0o777)
    assert str(file.parent) in _refused(file).what


def test_a_sticky_folder_of_ones_own(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert _found(file) == file
    file.chmod(0o666)
    _refused(file)


def test_group_writable_by_ones_own_private_group_only(file: Path) -> None:
    user = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(user.pw_gid)
    private = group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    os.chown(file, -1, user.pw_gid)
    os.chown(file.parent, -1, user.pw_gid)
    file.chmod(0o664)
    file.parent.chmod(0o775)
    if private:
        assert _found(file) == file
    else:
        _refused(file)


@pytest.mark.parametrize("shared", ["file", "folder"])
def test_group_writable_by_another_group(file: Path, shared: str) -> None:
    need("ordinary-user")
    place = file if shared == "file" else file.parent
    os.chown(place, -1, STRANGER)
    place.chmod(0o775)
    assert "can be changed by other users (mode 0775)" in _refused(file).what


@pytest.mark.parametrize("foreign", ["file", "folder"])
def test_what_belongs_to_somebody_else(file: Path, foreign: str) -> None:
    need("ordinary-user")
    place = file if foreign == "file" else file.parent
    os.chown(place, STRANGER, STRANGER)
    assert f"belongs to uid {STRANGER}, not to you" in _refused(file).what


def test_a_sticky_folder_of_root_does_not_help(file: Path) -> None:
    """As in /tmp: everybody may put a file there, a link to one of the user's own included."""
    need("ordinary-user")
    os.chown(file, STRANGER, STRANGER)
    file.parent.chmod(0o1777)
    for parent in file.parents:
        if parent.stat().st_mode & 0o700 == 0o700 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    source = Path(__file__).parents[3] / "src"
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r})\n"
        "from pathlib import Path; from cbctl.config.load import find_config\n"
        "from cbctl.errors import CbctlError\n"
        "try:\n"
        f"    print(find_config(Path({str(file.parent)!r}), variables={{}}))\n"
        "except CbctlError as error:\n"
        "    print(int(error.exit), error.what)\n"
    )
    assert _as(STRANGER, code).startswith(f"7 {file.parent}, which belongs to root (uid 0)")
    # An ordinary user goes with a file and a folder of root's.
    os.chown(file, 0, 0)
    file.parent.chmod(0o755)
    assert _as(STRANGER, code) == str(file)


def test_a_link_counts_with_both_ends(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.yaml"
    target.parent.mkdir()
    file.replace(target)
    file.symlink_to(target)
    target.parent.chmod(0o755)
    assert _found(file) == file
    target.parent.chmod(0o777)
    _refused(file)


def test_the_search_ends_at_what_is_refused(file: Path) -> None:
    nearest = file.parent / "below" / "cbctl.yaml"
    nearest.write_text("version: 1\n")
    nearest.chmod(0o666)
    with pytest.raises(CbctlError, match="by other users"):
        _found(file)
