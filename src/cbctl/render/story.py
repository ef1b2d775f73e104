"""What the events of a run told so far; faces draw from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cbctl.engine.event import Event

State = Literal[
    "waiting",  # not begun yet
    "running",
    "changed",
    "unchanged",
    "waits",  # for somebody else
    "failed",
    "undoing",
    "undone",
    "not undone",
]
Phase = Literal["before", "plan", "planned", "run", "ended"]


@dataclass
class StepStory:
    id: str
    state: State = "waiting"
    verdict: str = ""
    because: str = ""
    fix: str = ""
    summary: str = ""
    message: str = ""
    done: int | None = None
    total: int | None = None
    changes: list[Any] = field(default_factory=list)
    since: float = 0.0
    seconds: float | None = None
    error: str = ""
    unsure: bool = False
    cannot: str = ""
    evidence: Any = None


@dataclass
class Story:
    """State of one command: its plan and at most one run."""

    phase: Phase = "before"
    run: str = ""
    kind: str = ""
    resumed: bool = False
    hash: str = ""
    holder: str = ""
    began: float = 0.0
    seconds: float = 0.0
    steps: dict[str, StepStory] = field(default_factory=dict)
    failed: list[StepStory] = field(default_factory=list)
    ended: Mapping[str, Any] | None = None

    def tell(self, event: Event, now: float) -> StepStory | None:
        """Takes one event in; returns the step that it is about."""
        data: Mapping[str, Any] = event.data
        if self.phase == "before":
            self.began = now
        match event.type:
            case "plan.started":
                self.run = self.kind = self.holder = ""
                self.failed, self.ended = [], None
                ids = [str(id) for id in data.get("steps") or []]
                self.phase, self.began = "plan", now
                self.steps = {id: StepStory(id) for id in ids}
            case "plan.ready":
                self.phase, self.hash = "planned", str(data.get("hash", ""))
                for step in self.steps.values():
                    step.state, step.message, step.done, step.total = "waiting", "", None, None
            case "run.started":
                self.phase, self.run, self.began, self.holder = "run", event.run, now, ""
                self.kind = str(data.get("kind", ""))
                self.resumed = bool(data.get("resumed"))
            case "lock.waiting":
                self.holder = str(data.get("holder", "somebody"))
            case "run.ended":
                self.phase, self.ended = "ended", data
                self.run = self.run or event.run
                self.seconds, self.holder = max(0.0, now - self.began), ""
            case _ if event.type.startswith("step.") and "step" in data:
                return self._step(event.type, data, now)
        return None

    def count(self, *states: State) -> int:
        return sum(step.state in states for step in self.steps.values())

    def planned(self, *verdicts: str) -> list[StepStory]:
        return [step for step in self.steps.values() if step.verdict in verdicts]

    @property
    def cause(self) -> StepStory | None:
        """The failed step that the run's error is about."""
        error = (self.ended or {}).get("error") or {}
        for step in self.failed:
            if step.error == error.get("what"):
                return step
        return self.failed[0] if self.failed else None

    def _step(self, type: str, data: Mapping[str, Any], now: float) -> StepStory:
        step = self.steps.setdefault(str(data["step"]), StepStory(str(data["step"])))
        if self.phase == "planned":
            self.phase = "run"  # the steps of an empty plan are only verified, no run is started
        match type:
            case "step.observed":
                step.state, step.verdict = "waiting", str(data.get("verdict", ""))
                step.because = str(data.get("because") or "")
                step.fix = str(data.get("fix") or "")
                step.summary = str(data.get("summary") or "")
                step.changes = list(data.get("changes") or [])
            case "step.started":
                step.state = "undoing" if data.get("phase") == "undo" else "running"
                step.summary = str(data.get("summary") or step.summary)
                step.changes = list(data.get("changes") or step.changes)
                step.message, step.done, step.total, step.since = "", None, None, now
            case "step.progress":
                self._progress(step, data, now)
            case "step.done":
                step.state = "changed" if data.get("changed") else "unchanged"
                step.changes = list(data.get("changes") or [])
                seconds = data.get("seconds")
                step.seconds = float(seconds) if seconds is not None else None
            case "step.failed":
                step.state, step.error = "failed", str(data.get("error") or "")
                step.unsure = data.get("phase") != "verify"
                step.fix, step.evidence = str(data.get("fix") or ""), data.get("evidence")
                step.seconds = max(0.0, now - step.since) if step.since else None
                if not any(step is known for known in self.failed):
                    self.failed.append(step)
            case "step.waiting":
                step.state, step.error = "waits", str(data.get("what") or "")
                step.unsure = True
                step.fix = str(data.get("fix") or "")
                step.seconds = max(0.0, now - step.since) if step.since else None
            case "step.undone":
                step.cannot = str(data.get("cannot") or "")
                step.state = "not undone" if step.cannot else "undone"
        return step

    def _progress(self, step: StepStory, data: Mapping[str, Any], now: float) -> None:
        if step.state == "waiting":
            step.state, step.since = "running", now
        elif step.state in ("changed", "unchanged", "failed"):
            step.state, step.since = "undoing", now
        step.message = str(data.get("message") or "")
        step.done, step.total = data.get("done"), data.get("total")
