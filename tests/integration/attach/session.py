"""A process that carries out a toy runbook in a real session of cbctl.

    session.py deploy|resume FOLDER [ndjson]

Its steps a, b and c come one after the other. Each waits until the file go-STEP is in the folder,
then leaves its value in a file of its name.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from cbctl.cli.options import Events, Output
from cbctl.cli.results import print_text
from cbctl.cli.session import run as session
from cbctl.engine import journal, run
from cbctl.engine.job import Ended, Job
from cbctl.engine.plan import Node
from cbctl.engine.step import (
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.wiring.runs import carry_out, make_plan
from cbctl.wiring.workplace import Workplace

WHAT, FOLDER, EVENTS = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]


@dataclass(frozen=True)
class Inputs:
    id: str


@dataclass(frozen=True)
class Facts:
    made: bool


class Gate(Step[Inputs, Facts, Facts]):
    inputs = Inputs
    summary = "Wait at a gate"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(Facts((FOLDER / inputs.id).exists()))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        return Nothing() if facts.made else Changes((Change("file", None, inputs.id),))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return None

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        ctx.progress(f"at the gate of {inputs.id}", 1, 2)
        while not (FOLDER / f"go-{inputs.id}").exists():
            ctx.sleep(0.02)
        ctx.fence()
        (FOLDER / inputs.id).touch()
        return Facts(True)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        made = self.observe(ctx, inputs).facts.made
        return Verified() if made else NotVerified("it left no file")


def gate(id: str, *needs: str) -> Node:
    return Node(id, "toy.gate", Gate(), needs, (), lambda outcomes: Inputs(id))


def work(place: Workplace) -> Ended:
    nodes = (gate("a"), gate("b", "a"), gate("c", "b"))
    job = Job("toy", "local", "toy local", nodes, {"v": 1}, {}, frozenset(), None)
    if WHAT == "deploy":
        return carry_out(place, job)
    since = run.moment(place.store)
    made = make_plan(place, job)
    newest = place.store.streams(journal.RUNS)[-1].removeprefix(journal.RUNS)
    return run.resume(place.world, job, made, newest, since)


def afterwards(place: Workplace) -> None:
    print_text("the parts")


def main() -> None:
    events = Events.NDJSON if EVENTS else Events.NONE
    try:
        session(None, "local", Output.TEXT, events, work, afterwards)
    except typer.Exit as left:
        sys.exit(left.exit_code)


if __name__ == "__main__":
    main()
