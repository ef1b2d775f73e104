"""What a run tells while it goes on. Faces (terminal, plain lines, NDJSON) draw from these alone.

Types and their data:
  plan.started    steps: [id]
  step.observed   step, verdict: nothing|changes|blocked|after, because, changes, evidence
  plan.ready      hash, changes: int
  run.started     kind, resumed: bool
  step.started    step, phase: apply|verify|undo, summary
  step.progress   step, message, done, total
  step.done       step, changed: bool, changes, outcome, seconds
  step.failed     step, phase, error, where, fix, evidence
  step.waiting    step, what, fix, evidence: it goes on when somebody else has done something
  step.undone     step, cannot: str | null
  lock.waiting    holder
  run.ended       result, exit, changes, release, error (always the last one)

Whoever watches a run that was cut off gets a run.ended with the result `interrupted` from
`report.retold`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cbctl.engine.step import Json


@dataclass(frozen=True)
class Event:
    type: str
    at: str
    run: str
    data: Mapping[str, Json]


Sink = Callable[[Event], None]
