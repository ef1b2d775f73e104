from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cbctl.errors import CbctlError
from cbctl.local import runlogs
from cbctl.local.runlogs import Growing, RunLogs
from cbctl.local.state import State


@pytest.fixture
def logs(tmp_path: Path) -> RunLogs:
    return RunLogs(State.open("platform", "local", root=tmp_path / "root"))


def begin(logs: RunLogs, run: str, text: str = "") -> None:
    for file in logs.begin(run):
        file.write(text)
        file.close()


def test_files_are_private_whatever_the_umask(logs: RunLogs) -> None:
    before = os.umask(0)
    try:
        begin(logs, "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(logs.folder.stat().st_mode) == 0o700
    files = sorted(logs.folder.iterdir())
    assert [f.name for f in files] == ["a.log", "a.ndjson"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_a_resumed_run_writes_on_in_its_lines_and_begins_its_events_anew(logs: RunLogs) -> None:
    begin(logs, "a", "one\nto")  # killed in the middle of a line
    begin(logs, "a", "two\n")
    assert logs.lines("a").read_text() == "one\nto\ntwo\n"
    assert logs.events("a").read_text() == "two\n"


def test_a_process_that_lost_its_run_writes_where_nobody_reads(logs: RunLogs) -> None:
    late, _ = files = logs.begin("a")
    begin(logs, "a", "the newer part\n")
    late.write("woken up\n")
    for file in files:
        file.close()
    assert logs.events("a").read_text() == "the newer part\n"


def test_a_link_is_not_followed(logs: RunLogs, tmp_path: Path) -> None:
    begin(logs, "a")
    (tmp_path / "mine").write_text("mine")
    logs.lines("b").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError):
        logs.begin("b")
    assert (tmp_path / "mine").read_text() == "mine"


def test_files_of_the_oldest_runs_are_removed_but_never_the_own(logs: RunLogs) -> None:
    ids = [f"2026{number:04}" for number in range(runlogs.KEPT + 2)]
    for run in ids:
        begin(logs, run)
    begin(logs, ids[0], "an old run, resumed\n")
    kept = {path.stem for path in logs.folder.iterdir()}
    assert kept == {ids[0], *ids[3:]}
    assert len(list(logs.folder.iterdir())) == 2 * runlogs.KEPT


def test_a_name_that_leaves_the_folder_is_refused(logs: RunLogs) -> None:
    with pytest.raises(CbctlError):
        logs.events("../secrets/x")


def test_lines_are_read_as_they_are_completed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    growing = Growing(path)
    assert (growing.read(), growing.found) == ([], False)
    with path.open("w") as file:
        file.write("one\ntw")
        file.flush()
        assert (growing.read(), growing.found) == ([b"one"], True)
        file.write("o\nthree\n")
        file.flush()
        assert growing.read() == [b"two", b"three"] and growing.read() == []
    growing.close()


def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old\nto")
    growing = Growing(path)
    assert growing.read() == [b"old"]
    old = path.open("a")
    path.unlink()
    old.write("rn\n")
    old.flush()
    assert growing.read() == [b"torn"]  # as long as there is no other one
    path.write_text("new\n")
    assert growing.read() == [b"new"]
    old.close()
    growing.close()
