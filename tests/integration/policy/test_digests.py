"""An image named by a tag is refused before anything is changed, wherever its name comes from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.integration.report.conftest import REPOSITORY, Cbctl
from tests.integration.report.conftest import cbctl as cbctl
from tests.integration.report.conftest import place as place
from tests.unit.report.place import Place

from cbctl.engine.step import (
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.runbook import catalogue

ROLLED_OUT: list[str] = []
DIGEST = "registry.example/api@sha256:" + "ab" * 32


@dataclass(frozen=True)
class Inputs:
    image: str


@dataclass(frozen=True)
class Facts:
    running: str


@dataclass(frozen=True)
class Outcome:
    image: str


class Rollout(Step[Inputs, Facts, Outcome]):
    """Stands for a step that runs an image; none of the local platform does."""

    inputs = Inputs
    summary = "Run an image"
    at_most = ("image",)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts(ROLLED_OUT[-1] if ROLLED_OUT else ""))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.running == inputs.image:
            return Nothing()
        return Changes((Change("image", facts.running, inputs.image),))

    def apply(self, ctx: Context, inputs: Inputs, changes: Any, intent: Json) -> Outcome:
        ctx.fence()
        ROLLED_OUT.append(inputs.image)
        return Outcome(inputs.image)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(inputs.image)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        return Verified()


@pytest.fixture
def deploys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: Place) -> Any:
    """Writes a cbctl.yaml of digests only, whose deploy rolls out this image."""
    ROLLED_OUT.clear()
    module = ModuleType("cbctl.steps.toy.rollout")
    module.STEP = Rollout()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cbctl.steps.toy.rollout", module)
    monkeypatch.setitem(catalogue.STEPS, "toy.rollout", Rollout.summary)
    text = (REPOSITORY / "cbctl.yaml").read_text()
    for path in ("programs", "src"):
        (tmp_path / path).symlink_to(REPOSITORY / path)
    local = "    chain:\n      on: local\n"
    assert text.count(local) == 1
    text = text.replace(local, f"    policy: {{digests_only: true}}\n{local}")
    text = text.replace("platform: crypto-bet\n", "platform: crypto-bet\nrunbooks: own\n")
    (tmp_path / "cbctl.yaml").write_text(text)
    (tmp_path / "cbctl.yaml").chmod(0o600)
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("CBCTL_CONFIG", str(tmp_path / "cbctl.yaml"))

    def write(image: str) -> None:
        (tmp_path / "own" / "deploy.yaml").write_text(
            "version: 1\nname: deploy\nsummary: Roll out\nsteps:\n"
            f"  - {{id: api, step: toy.rollout, with: {{image: '{image}'}}}}\n"
        )

    return write


def test_only_digests(deploys: Any, cbctl: Cbctl, place: Place) -> None:
    deploys("registry.example/api:latest")
    for arguments in (("deploy", "local"), ("deploy", "local", "--plan")):
        told = cbctl(*arguments)
        assert told.exit == 7, told
        assert "is not named by its digest" in told.err and "where: api" in told.err
    assert ROLLED_OUT == [] and place.runs == []

    deploys(DIGEST)
    result = cbctl("deploy", "local", "-o", "json")
    assert (result.exit, ROLLED_OUT) == (0, [DIGEST])


def test_past_it_by_name_and_with_a_reason(deploys: Any, cbctl: Cbctl, place: Place) -> None:
    deploys("registry.example/api:latest")
    told = cbctl("deploy", "local", "--override", "digests", "--reason", "registry is down")
    assert told.exit == 0 and ROLLED_OUT == ["registry.example/api:latest"], told
    assert "past the rule digests" in told.err
    (entry,) = [e for e in cbctl("audit", "list", "-o", "json").json if e["kind"] == "run"]
    assert entry["reason"] == "past digests: registry is down"
