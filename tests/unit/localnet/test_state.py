"""The state folder: who has it, where slots go on, and how the process before ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.localnet.errors import Stop
from cbctl.localnet.state import Ended, StateFolder

BOOT, OTHER_BOOT = "5b1c0a36-0000-4000-8000-000000000001", "5b1c0a36-0000-4000-8000-000000000002"


def _after(folder: Path, boot: str) -> tuple[int, Ended]:
    state = StateFolder(folder, boot)
    try:
        return state.reserved_slot(), state.ended()
    finally:
        state.close()


def _run(folder: Path, boot: str, slot: int, *, in_order: bool) -> None:
    state = StateFolder(folder, boot)
    state.reserve_slots(slot)
    if in_order:
        state.reserve_slots(slot + 1, in_order=True)
    state.close()


def test_a_new_folder_knows_nothing(tmp_path: Path) -> None:
    assert _after(tmp_path / "new", BOOT) == (0, Ended.NEVER_RAN)


def test_how_the_process_before_ended(tmp_path: Path) -> None:
    _run(tmp_path, BOOT, 500, in_order=True)
    assert _after(tmp_path, BOOT) == (501, Ended.IN_ORDER)
    assert _after(tmp_path, OTHER_BOOT) == (501, Ended.IN_ORDER)
    _run(tmp_path, BOOT, 600, in_order=False)
    assert _after(tmp_path, BOOT) == (600, Ended.KILLED)
    assert _after(tmp_path, OTHER_BOOT) == (600, Ended.MACHINE)


def test_where_the_system_tells_no_boot_both_are_possible(tmp_path: Path) -> None:
    _run(tmp_path, "", 600, in_order=False)
    assert _after(tmp_path, "") == (600, Ended.UNKNOWN)
    assert _after(tmp_path, BOOT) == (600, Ended.UNKNOWN)


def test_a_torn_mark_says_nothing(tmp_path: Path) -> None:
    _run(tmp_path, BOOT, 600, in_order=True)
    mark = tmp_path / "slot"
    whole = mark.read_bytes()
    for content in (whole[:-1], whole[:5], bytes([whole[0] ^ 1]) + whole[1:], b"\0" * len(whole)):
        mark.write_bytes(content)
        assert _after(tmp_path, BOOT) == (0, Ended.UNKNOWN)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with pytest.raises(Stop, match="in use by another localnet") as stop:
        StateFolder(tmp_path)
    assert stop.value.exit_code == 6
    state.close()
    StateFolder(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Stop, match="cannot use") as stop:
        StateFolder(tmp_path / "file" / "state")
    assert stop.value.exit_code == 64
