"""A process that runs or resumes a toy runbook on real files, threads and clock.

    toy.py FOLDER deploy|resume [--kill POINT] [--stop POINT] [--wall SECONDS] [--speed TIMES]
           [--namespace NAME]

POINT is `planned:1`, or TYPE:N (right after the n-th record of a type is on the disk), or STEP:N
(in the middle of the n-th effect of a step). The process sends itself SIGKILL or SIGSTOP there.
Its clocks are wrong by `wall` and run `speed` times as fast. With a namespace the store is there,
in the cluster of the kubeconfig; else in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from cbctl.clients.kubernetes.api import Api
from cbctl.config.types import Secret
from cbctl.engine import journal, plan, run
from cbctl.engine.event import Event
from cbctl.engine.plan import Node, Outcomes
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
from cbctl.engine.world import World
from cbctl.machine import SystemClock, SystemRandom, Threads, owner, owner_state
from cbctl.stores.cluster.objects import Objects
from cbctl.stores.cluster.store import ClusterStore
from cbctl.stores.files import FileStore

arguments = argparse.ArgumentParser()
arguments.add_argument("folder", type=Path)
arguments.add_argument("what", choices=["deploy", "resume"])
arguments.add_argument("--kill")
arguments.add_argument("--stop")
arguments.add_argument("--wall", type=float, default=0.0)
arguments.add_argument("--speed", type=float, default=1.0)
arguments.add_argument("--namespace")
GIVEN = arguments.parse_args()
FOLDER: Path = GIVEN.folder
CONTEXT = "kubenode"
seen: Counter[str] = Counter()


def point(name: str) -> None:
    seen[name] += 1
    for here, number in ((GIVEN.kill, signal.SIGKILL), (GIVEN.stop, signal.SIGSTOP)):
        if here == f"{name}:{seen[name]}":
            os.kill(os.getpid(), number)


class Clock(SystemClock):
    def wall(self) -> float:
        return super().wall() + float(GIVEN.wall)

    def monotonic(self) -> float:
        return super().monotonic() * float(GIVEN.speed)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / float(GIVEN.speed))


class Points:
    """A store in which a record may be the last."""

    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        super().append(stream, expected, token, line)  # type: ignore[misc]
        point(json.loads(line)["type"])


class InFiles(Points, FileStore):
    pass


class InCluster(Points, ClusterStore):
    pass


def opened() -> InFiles | InCluster:
    if GIVEN.namespace is None:
        return InFiles(FOLDER / "state", owner_state)
    connect = partial(Api.connect, CONTEXT, GIVEN.namespace, patience=60)
    return InCluster(Objects(cache(connect)), owner_state)


@dataclass(frozen=True)
class Inputs:
    id: str
    value: str


@dataclass(frozen=True)
class Facts:
    value: str | None


class Toy(Step[Inputs, Facts, Facts]):
    """Pays into an account once (by identity), then shows it in a file."""

    inputs = Inputs
    summary = "Pay once"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        file = FOLDER / inputs.id
        return Observation(Facts(file.read_text() if file.exists() else None))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.value == inputs.value:
            return Nothing()
        return Changes((Change("value", facts.value, inputs.value),))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return os.urandom(8).hex()

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        payments = FOLDER / "payments" / f"{inputs.id}-{intent}"
        ctx.fence()
        payments.touch()
        point(inputs.id)
        ctx.fence()
        (FOLDER / inputs.id).write_text(inputs.value)
        return Facts(inputs.value)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        right = self.observe(ctx, inputs).facts.value == inputs.value
        return Verified() if right else NotVerified("it has another value")


def node(id: str, *refers: str) -> Node:
    def bind(outcomes: Outcomes) -> Inputs:
        return Inputs(id, "+".join([id, *(outcomes[r].value for r in refers)]))

    return Node(id, "toy", Toy(), (), refers, bind)


def parts(outcomes: Outcomes) -> dict[str, Json]:
    return {id: outcome.value for id, outcome in sorted(outcomes.items())}


def tell(event: Event) -> None:
    if event.type == "run.ended":
        print(json.dumps(dict(event.data)), flush=True)


def main() -> int:
    (FOLDER / "payments").mkdir(exist_ok=True)
    store = opened()
    world = World(
        store=store,
        clock=Clock(),
        random=SystemRandom(),
        executor=Threads(),
        sink=tell,
        identify=owner,
        reveal=lambda reference: Secret(""),
        scrub=str,
    )
    nodes = (node("a"), node("b"), node("c", "a", "b"), node("d", "c"))
    job = run.Job("toy", "test", "toy", nodes, {"v": 1}, {}, frozenset(), parts)
    since = run.moment(store)
    made = plan.make(world, nodes, job.planned_from)
    point("planned")
    if GIVEN.what == "deploy":
        return int(run.start(world, job, made, since).exit)
    newest = store.streams(journal.RUNS)[-1].removeprefix(journal.RUNS)
    return int(run.resume(world, job, made, newest, since).exit)


if __name__ == "__main__":
    sys.exit(main())
