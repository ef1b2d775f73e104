"""The static table of steps is what there is, and the shipped runbooks fit it."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

import cbctl
from cbctl.engine.step import Step
from cbctl.runbook import catalogue, document, expression

STEPS = Path(cbctl.__file__).parent / "steps"
ELSEWHERE = "in_cluster"
"""No step of its own: it carries the others out inside the cluster."""
SHIPPED = sorted(document.shipped().glob("*.yaml"))


@pytest.mark.parametrize("name", catalogue.STEPS)
def test_each_step_is_there_and_says_what_it_does(name: str) -> None:
    step = catalogue.step(name)
    assert isinstance(step, Step)
    assert dataclasses.is_dataclass(step.inputs)
    assert step.inputs.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert step.summary == catalogue.STEPS[name]
    for method in ("observe", "plan", "apply", "outcome", "verify"):
        assert getattr(type(step), method) is not getattr(Step, method), f"{method} is missing"


def test_each_module_of_a_step_is_in_the_table() -> None:
    found = {
        f"{path.parent.name}.{path.stem}"
        for path in STEPS.glob("*/*.py")
        if not path.stem.startswith("_") and path.parent.name != ELSEWHERE
    }
    assert found == set(catalogue.STEPS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_the_shipped_runbooks_give_their_steps_what_they_take(path: Path) -> None:
    book = document.read(path)
    assert book.name == path.stem and book.summary and book.steps
    for entry in book.steps:
        fields = {f.name: f for f in dataclasses.fields(catalogue.step(entry.step).inputs)}
        assert set(entry.inputs) <= set(fields), f"{entry.id} gives what {entry.step} takes not"
        needed = {
            f.name
            for f in fields.values()
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        }
        assert needed <= set(entry.inputs), f"{entry.id} lacks what {entry.step} needs"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_the_shipped_runbooks_refer_only_to_outcomes_that_steps_have(path: Path) -> None:
    book = document.read(path)
    outcome: dict[str, set[str]] = {}
    for entry in book.steps:
        step = catalogue.step(entry.step)
        kind = typing.get_type_hints(type(step).outcome)["return"]
        outcome[entry.id] = {f.name for f in dataclasses.fields(kind)}
    for value in (*(e.inputs for e in book.steps), book.release):
        for named in expression.references(value):
            if named.root == "steps":
                assert named.parts[1] in outcome[named.parts[0]], str(named)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_each_step_on_the_chain_has_all_endpoints_and_what_mainnet_beta_demands(path: Path) -> None:
    for entry in document.read(path).steps:
        fields = {f.name for f in dataclasses.fields(catalogue.step(entry.step).inputs)}
        wanted = {
            "rpc": "${env.chain.rpc}",
            "toolchain": "${env.program.toolchain}",
            "backup_days": "${env.program.backup.days}",
        }
        for name in fields & set(wanted):
            assert entry.inputs.get(name) == wanted[name], f"{entry.id}: {name}"


def test_there_are_runbooks() -> None:
    assert {p.stem for p in SHIPPED} >= {"deploy", "rollback"}
