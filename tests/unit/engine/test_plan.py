"""What is said before anything happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import Process, job, machine, planned

from cbctl.engine import plan
from cbctl.engine.plan import NotYet, describe
from cbctl.engine.step import After, Blocked, Change, Changes, Nothing
from cbctl.errors import CbctlError, Exit


def made(*nodes: Any, on: Any = None, **more: Any) -> plan.Plan:
    return planned(on or machine(), job(*nodes, **more))


def step(id: str, systems: Systems, script: Script | None = None, **more: Any) -> Any:
    return node(id, systems, Process(), script, **more)


def test_the_four_verdicts() -> None:
    s = Systems(values={"a.0": "new"})
    found = made(
        step("a", s),
        step("b", s),
        step("c", s, refers=("b",)),
        step("d", s, Script(say={"plan": lambda *_: Blocked("full", "make room")})),
    )
    assert [type(p.verdict) for p in found.steps] == [Nothing, Changes, After, Blocked]
    assert found.of("c").verdict == After(
        ("b",), (Change("part 0"), Change("part 1"), Change("part 2"))
    )
    assert [p.id for p in found.blocked] == ["d"]
    assert not found.empty and found.outcomes["a"].value == "new"


def test_what_each_may_change() -> None:
    s = Systems(values={"a.0": "new"})
    found = made(step("a", s), step("b", s), step("c", s, refers=("b",)))
    assert found.of("a").may == frozenset()
    assert found.of("b").may == frozenset({"part 0"})
    assert found.of("c").may == frozenset({"part 0", "part 1", "part 2"})
    assert replace(found.of("c"), verdict=After(("b",), ())).may is None


def test_everything_is_observed_side_by_side() -> None:
    on, s = machine(), Systems()
    made(*(step(f"s{i}", s) for i in range(5)), on=on)
    assert on.world.executor.most_active == 5  # type: ignore[attr-defined]
    assert s.changed == []


def test_the_hash_is_that_of_identity_facts_and_verdicts() -> None:
    def digest(values: dict[str, str], **more: Any) -> str:
        return made(step("a", Systems(values=values), **more), identity="x").hash

    same = digest({})
    assert digest({}) == same
    assert digest({"a.0": "old"}) != same
    assert digest({}, value="other") != same
    assert made(step("a", Systems()), identity="y").hash != same


def test_a_step_is_not_told_a_run_and_cannot_change_anything() -> None:
    def tries(ctx: Any, inputs: Any) -> None:
        assert ctx.run == "" and ctx.token == 0
        ctx.fence()

    with pytest.raises(CbctlError, match="tried to change something while it only looks"):
        made(step("a", Systems(), Script(say={"observe": tries})))


@pytest.mark.parametrize(
    "needs", [{"a": ("b",), "b": ("a",)}, {"a": ("nobody",)}, {"a": ("a",)}], ids=str
)
def test_steps_that_could_never_begin_are_refused(needs: dict[str, tuple[str, ...]]) -> None:
    s = Systems()
    with pytest.raises(
        CbctlError, match="wait for each other or for a step that is not there"
    ) as c:
        made(*(step(id, s, needs=needs.get(id, ())) for id in ("a", "b")))
    assert c.value.exit is Exit.USAGE
    with pytest.raises(CbctlError):
        made(*(step(id, s, refers=needs.get(id, ())) for id in ("a", "b")))


def test_inputs_that_are_not_made_yet_wait_for_who_makes_them() -> None:
    def bind(outcomes: Any) -> Any:
        raise NotYet("keys")

    found = made(replace(step("a", Systems()), bind=bind))
    assert isinstance(found.of("a").verdict, After)
    assert found.of("a").verdict.needs == ("keys",)  # type: ignore[union-attr]


def test_a_chain_of_references_is_followed_as_far_as_it_is_known() -> None:
    s = Systems(values={"a.0": "new", "b.0": "new+new"})
    found = made(
        step("c", s, refers=("b",)), step("b", s, refers=("a",)), step("a", s), step("d", s)
    )
    verdicts = {p.id: describe(p.verdict)["verdict"] for p in found.steps}
    assert verdicts == {"c": "changes", "b": "nothing", "a": "nothing", "d": "changes"}


def test_left_out_steps_change_nothing_and_block_those_that_wait_for_them() -> None:
    s = Systems()
    found = made(step("a", s), step("b", s, refers=("a",)), step("c", s), left_out=["a", "c"])
    assert [type(p.verdict) for p in found.steps] == [Nothing, Blocked, Nothing]
    whole = made(step("a", s), step("b", s, refers=("a",)), step("c", s))
    assert whole.hash != found.hash  # who approves the one has not seen the other


def test_what_is_shown_is_scrubbed() -> None:
    on, s = machine(), Systems(values={"a.0": "hunter22"})
    made(step("a", s), on=on)
    assert on.told("step.observed")[0]["evidence"] == {"seen": "***"}
