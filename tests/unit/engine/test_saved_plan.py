"""A plan as a file is carried out only as it was shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import Disk, Machine, Process, deploy, job, machine, planned

from cbctl.engine import saved_plan
from cbctl.engine.job import Job
from cbctl.engine.plan import hash_of
from cbctl.engine.saved_plan import Saved
from cbctl.errors import CbctlError, Exit

HOUR = 3600.0


class Desk:
    """One environment, and the deploy that is planned for it."""

    def __init__(self) -> None:
        self.systems, self.process = Systems(), Process()
        self.on: Machine = machine(Disk(), process=self.process)

    def job(self, value: str = "new", **more: Any) -> Job:
        nodes = [
            node("a", self.systems, self.process, Script(), value=value),
            node("b", self.systems, self.process, Script(), refers=("a",)),
        ]
        return job(*nodes, **more)

    def file(self, made: Job | None = None) -> bytes:
        made = made or self.job()
        plan = planned(self.on, made)
        world = self.on.world
        return saved_plan.write(made, plan, "lottery", world.owner, world.clock.wall())

    def same(self, saved: Saved, made: Job | None = None) -> None:
        made = made or self.job()
        saved_plan.require_same(saved, made, planned(self.on, made), "p.json")

    def fresh(self, saved: Saved, environment: str = "test", platform: str = "lottery") -> None:
        wall = self.on.world.clock.wall()
        saved_plan.require_fresh(saved, environment, platform, wall, "p.json")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def read(data: bytes) -> Saved:
    return saved_plan.read(data, "p.json")


def refused(work: Callable[[], object], *words: str, exit: Exit = Exit.REFUSED) -> CbctlError:
    with pytest.raises(CbctlError) as error:
        work()
    assert error.value.exit is exit and error.value.where == "p.json"
    for word in words:
        assert word in error.value.what, error.value.what
    return error.value


def test_the_same_plan_is_taken(desk: Desk) -> None:
    saved = read(desk.file())
    desk.fresh(saved)
    desk.same(saved)
    assert saved.hash == planned(desk.on, desk.job()).hash
    assert saved.who == "user1" and saved.kind == "deploy"


def test_two_hours_and_no_longer(desk: Desk) -> None:
    saved = read(desk.file())
    desk.on.disk.monotonic += 2 * HOUR
    desk.fresh(saved)
    desk.on.disk.monotonic += 60
    refused(lambda: desk.fresh(saved), "2 h 1 min ago", "two hours")
    desk.on.disk.monotonic -= 4 * HOUR
    refused(lambda: desk.fresh(saved), "made in the future")


def test_of_another_environment_or_platform(desk: Desk) -> None:
    saved = read(desk.file())
    refused(lambda: desk.fresh(saved, "production"), "lottery test", "lottery production")
    refused(lambda: desk.fresh(saved, platform="bakery"), "bakery")


@pytest.mark.parametrize("path", ["identity", "selection"])
def test_made_from_something_else(desk: Desk, path: str) -> None:
    saved = read(desk.file())
    other = {"identity": desk.job(identity="two"), "selection": desk.job(left_out=["a"])}[path]
    told = {"identity": "the runbook", "selection": "the selection"}[path]
    refused(lambda: desk.same(saved, other), "changed since", told)


def test_systems_that_look_otherwise(desk: Desk) -> None:
    saved = read(desk.file())
    desk.systems.values["a.0"] = "somebody's"
    refused(lambda: desk.same(saved), "step a")
    desk.systems.values["a.0"] = "new"
    refused(lambda: desk.same(saved), "step a: then changes (part 0), now nothing")


def test_another_value_of_an_input(desk: Desk) -> None:
    refused(lambda: desk.same(read(desk.file()), desk.job(value="newer")), "step a")


def test_carried_out_once(desk: Desk) -> None:
    saved = read(desk.file())
    assert deploy(desk.on, desk.job()).exit is Exit.DONE
    refused(lambda: desk.same(saved), "nothing of it is left to do")


def test_many_differences_are_counted(desk: Desk) -> None:
    ids = [f"s{i}" for i in range(9)]
    made = job(*(node(i, desk.systems, desk.process) for i in ids))
    saved = read(desk.file(made))
    for id in ids[1:]:
        desk.systems.values[f"{id}.0"] = "other"
    error = refused(lambda: desk.same(saved, made), "(and 4 more)")
    assert error.what.count("step ") == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["steps"][0]["verdict"]["changes"].clear(),
        lambda p: p["steps"][0]["facts"].update(values=["x"]),
        lambda p: p["steps"].pop(),
        lambda p: p["planned_from"].update(runbook="two"),
        lambda p: p["planned_from"]["selection"].update(skip=["a"]),
        lambda p: p.update(hash="0" * 64),
        lambda p: p.update(who="somebody else"),
        lambda p: p.update(at="2099-01-01T00:00:00.000Z"),
        lambda p: p["steps"][0].update(summary="Change nothing"),
    ],
)
def test_changed_by_hand(desk: Desk, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(desk.file())
    change(value)
    refused(lambda: read(json.dumps(value).encode()), "changed after it was written")


def test_of_another_schema(desk: Desk) -> None:
    value = json.loads(desk.file())
    value["schema"] = "2.0"
    refused(lambda: read(json.dumps(value).encode()), "schema 2.0")


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["steps"][0].pop("id"),
        lambda p: p["steps"][0].pop("verdict"),
        lambda p: p["steps"][0].update(verdict=[]),
        lambda p: p["steps"][0]["verdict"].update(changes=[7]),
        lambda p: p["planned_from"]["selection"].update(only=5),
        lambda p: p["planned_from"].pop("selection"),
        lambda p: p.pop("seal"),
    ],
)
def test_what_no_cbctl_wrote(desk: Desk, change: Callable[[dict[str, Any]], object]) -> None:
    """Also with a hash that fits."""
    value = json.loads(desk.file())
    change(value)
    steps = [{k: v for k, v in s.items() if k != "summary"} for s in value["steps"]]
    value["hash"] = hash_of(value["planned_from"], steps)
    refused(lambda: read(json.dumps(value).encode()), "no saved plan", exit=Exit.USAGE)


def test_other_sources_are_another_plan(desk: Desk) -> None:
    """What a step looks at only later is pinned too."""
    saved = read(desk.file(replace(desk.job(), sources={"api.source": "a" * 64})))
    other = replace(desk.job(), sources={"api.source": "b" * 64})
    refused(lambda: desk.same(saved, other), "changed since", "the api.source")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"is": "x"}', b"[" * 100_000])
def test_what_is_no_plan(data: bytes) -> None:
    refused(lambda: read(data), "no saved plan", exit=Exit.USAGE)


def test_no_secret_is_in_it(desk: Desk) -> None:
    """Facts and changes are scrubbed as everything that is recorded."""
    from cbctl.engine.step import Change, Changes

    said = Script(say={"plan": lambda ctx, inputs: Changes((Change("key hunter22", "hunter22"),))})
    made = job(node("a", desk.systems, desk.process, said))
    desk.systems.values["a.0"] = "hunter22"
    data = desk.file(made)
    assert b"hunter22" not in data and b"***" in data
    read(data)
