"""Who held a lock, judged by what the system says: "dead" only beyond doubt."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from cbctl import machine
from cbctl.machine import owner, owner_state

ME = owner()


def test_this_process_is_alive_and_named_by_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody else")
    assert owner() == ME and owner_state(ME) == "alive" and ME.pid == os.getpid()
    assert ME.who != "somebody else"


def test_a_machine_that_was_renamed_is_the_same_machine() -> None:
    assert owner_state(replace(ME, host="former-name")) == "alive"


def test_a_pid_that_was_used_again_is_another_process() -> None:
    assert owner_state(replace(ME, started="1")) == "dead"


@pytest.mark.parametrize("pid", [2**22 + 1, 10**30])
def test_no_such_process(pid: int) -> None:
    assert owner_state(replace(ME, pid=pid)) == "dead"


def test_a_machine_that_was_started_again() -> None:
    other = "00000000-0000-0000-0000-000000000000+1"
    assert owner_state(replace(ME, boot=other)) == "dead"
    assert owner_state(replace(ME, boot=other, host="another")) == "unknown"


def test_another_container_on_this_kernel_numbers_its_processes_itself() -> None:
    boot = ME.boot.partition("+")[0]
    assert owner_state(replace(ME, boot=f"{boot}+1", pid=10**6, started="1")) == "unknown"


def test_a_process_of_another_user_that_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc mounted with hidepid: it is not there to be read, but may not be signalled either."""

    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(machine, "identify", lambda pid: None)
    monkeypatch.setattr(os, "kill", forbidden)
    assert owner_state(ME) == "unknown"
