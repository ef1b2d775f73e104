"""A release is provisional until the steps that prove it are done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import Disk, Machine, Process, crashes, deploy, job, machine, resume

from cbctl.engine import release
from cbctl.engine.job import Job
from cbctl.errors import CbctlError, Exit


def soaking(on: Machine, systems: Systems, value: str, **script: Any) -> Job:
    api = node("api", systems, on.process, value=value)
    soak = node(
        "soak", systems, on.process, Script(**script), needs=("api",), value=f"{value} proved"
    )
    return job(api, replace(soak, proves=True), release=("api",), undo=True)


def states(on: Machine) -> list[str]:
    return [one.state for one in release.history(on.store)]


def test_it_is_recorded_before_it_is_proved_and_healthy_afterwards() -> None:
    on, systems = machine(Disk()), Systems()
    seen: list[str] = []
    wanted = soaking(on, systems, "one", say={"observe": lambda *_: seen.extend(states(on))})
    assert deploy(on, wanted).result == "succeeded"
    assert (states(on), seen) == (["healthy"], ["provisional"])
    again = soaking(on, systems, "one")
    assert deploy(on, again).result == "unchanged"


def test_one_that_does_not_prove_itself_is_bad_and_taken_back() -> None:
    on, systems = machine(Disk()), Systems()
    deploy(on, soaking(on, systems, "one"))
    ended = deploy(on, soaking(on, systems, "two", fails=2))
    assert (ended.exit, ended.release) == (Exit.UNDONE, None)
    assert states(on) == ["healthy", "bad"]
    assert systems.values["api.0"] == "one"
    deploy(on, soaking(on, systems, "one"))
    assert states(on) == ["healthy", "bad", "healthy"], "what runs again is a release again"


@pytest.mark.parametrize("point", range(1, 120, 3))
def test_killed_anywhere_and_resumed_it_is_healthy_once(point: int) -> None:
    disk, systems = Disk(), Systems()
    first = machine(disk, process=Process(crash_at=point))
    if not crashes(lambda: deploy(first, soaking(first, systems, "one"))):
        return
    second = machine(disk, process=Process(pid=2), states={1: "dead"})
    try:
        resume(second, soaking(second, systems, "one"))
    except (CbctlError, IndexError):  # it had not begun, or had come to its end
        deploy(second, soaking(second, systems, "one"))
    assert states(second) == ["healthy"]
