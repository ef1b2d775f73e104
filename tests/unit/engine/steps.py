"""Steps on made-up systems: effects that can be seen, looked up by identity, or neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.unit.engine.world import Process

from cbctl.engine.plan import Node, Outcomes
from cbctl.engine.step import (
    CannotUndo,
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
    Waiting,
)


@dataclass
class Systems:
    """Everything that outlives cbctl.

    values   what can be seen
    sent     (step, identity, value) of what can be looked up by its identity alone
    told     (run, step) of what nobody can look up
    changed  (token, step) of each effect, in order
    tries    calls by (step, method)
    """

    values: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, Json, str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)
    tries: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def end(self) -> tuple[dict[str, str], set[tuple[str, str]]]:
        return self.values, {(step, value) for step, _, value in self.sent}


@dataclass(frozen=True)
class Inputs:
    id: str
    value: str


@dataclass(frozen=True)
class Facts:
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Outcome:
    value: str


Kind = Literal["visible", "identified", "message"]


@dataclass
class Script:
    """How a step behaves.

    parts    separate effects of a visible one, each with a point to die at in between
    fails    applies that raise before their effect
    skips    applies that say they made it, and did not
    breaks   applies that raise after their effect
    waits    applies that wait for somebody else, who does it after the last of them
    lies     verifies that say no
    blind    verifies that say yes whatever there is
    seconds  it takes
    back     it can be undone
    say      takes the place of a method: its name → function(context, inputs)
    """

    kind: Kind = "visible"
    parts: int = 1
    fails: int = 0
    skips: int = 0
    breaks: int = 0
    waits: int = 0
    lies: int = 0
    blind: int = 0
    seconds: float = 0.0
    back: bool = True
    say: dict[str, Callable[[Any, Any], Any]] = field(default_factory=dict)


class Toy(Step[Inputs, Facts, Outcome]):
    inputs = Inputs
    summary = "Change a made-up system"
    at_most = ("part 0", "part 1", "part 2")

    def __init__(self, systems: Systems, process: Process, script: Script) -> None:
        self.systems, self.process, self.script = systems, process, script

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        self._enter(ctx, "observe")
        if "observe" in self.script.say:
            self.script.say["observe"](ctx, inputs)
        seen = tuple(self.systems.values.get(k) for k in self._keys(inputs))
        return Observation(Facts(seen), {"seen": ", ".join(map(str, seen))})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if "plan" in self.script.say:
            said: PlanVerdict = self.script.say["plan"](None, inputs)
            return said
        changes = tuple(
            Change(f"part {i}", now, inputs.value)
            for i, now in enumerate(facts.values)
            if now != inputs.value
        )
        return Changes(changes) if changes else Nothing("it is there")

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        self._enter(ctx, "identify")
        if "identify" in self.script.say:
            said: Json = self.script.say["identify"](ctx, inputs)
            return said
        return f"{ctx.run}/{ctx.step}/{self.systems.tries[ctx.step, 'identify']}"

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome | Waiting:
        tried = self._enter(ctx, "apply")
        if "apply" in self.script.say:
            said: Outcome = self.script.say["apply"](ctx, inputs)
            return said
        if tried <= self.script.fails:
            raise RuntimeError(f"{ctx.step} does not want to")
        if tried <= self.script.fails + self.script.skips:
            return Outcome(inputs.value)
        if self.script.seconds:
            ctx.sleep(self.script.seconds)
        tried -= self.script.fails + self.script.skips
        if tried <= self.script.waits:
            self._change(ctx)  # hands it over, and somebody else does what cbctl may not
            if tried == self.script.waits:
                self.systems.values |= dict.fromkeys(self._keys(inputs), inputs.value)
            return Waiting("somebody has to sign", "ask for it", {"sign": "this"})
        if self.script.kind == "identified" and not self._sent(intent):
            self._change(ctx)
            self.systems.sent.append((ctx.step, intent, inputs.value))
        if self.script.kind == "message":
            self._change(ctx)
            self.systems.told.append((ctx.run, ctx.step))
        for key in self._keys(inputs):
            self.process.point()
            if self.systems.values.get(key) != inputs.value:
                self._change(ctx)
                self.systems.values[key] = inputs.value
        self.process.point()
        if tried <= self.script.waits + self.script.breaks:
            raise RuntimeError(f"{ctx.step} broke after its effect")
        return Outcome(inputs.value)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(inputs.value)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        tried = self._enter(ctx, "verify")
        if "verify" in self.script.say:
            said: Verdict = self.script.say["verify"](ctx, inputs)
            return said
        if tried <= self.script.lies:
            return NotVerified("it is not there", "look again", {"log": ["hunter22 was wrong"]})
        if tried <= self.script.lies + self.script.blind:
            return Verified({"tried": tried})
        wrong = [k for k in self._keys(inputs) if self.systems.values.get(k) != inputs.value]
        return NotVerified(f"{wrong} differ") if wrong else Verified({"tried": tried})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        self._enter(ctx, "undo")
        if not self.script.back:
            return CannotUndo("there is no way back")
        assert isinstance(before, dict)
        values = before["values"]
        assert isinstance(values, list)
        for key, value in zip(self._keys(inputs), values, strict=True):
            self.process.point()
            self._change(ctx)
            if value is None:
                self.systems.values.pop(key, None)
            else:
                self.systems.values[key] = str(value)
        self.systems.sent = [s for s in self.systems.sent if s[1] != intent]
        self.process.point()
        return None

    def _enter(self, ctx: Context, method: str) -> int:
        self.process.point()
        self.systems.tries[ctx.step, method] += 1
        return self.systems.tries[ctx.step, method]

    def _change(self, ctx: Context) -> None:
        ctx.fence()  # nothing may come between this and the effect
        self.systems.changed.append((ctx.token, ctx.step))

    def _keys(self, inputs: Inputs) -> list[str]:
        return [f"{inputs.id}.{i}" for i in range(self.script.parts)]

    def _sent(self, intent: Json) -> bool:
        return any(identity == intent for _, identity, _ in self.systems.sent)


def node(
    id: str,
    systems: Systems,
    process: Process,
    script: Script | None = None,
    *,
    needs: tuple[str, ...] = (),
    refers: tuple[str, ...] = (),
    value: str = "new",
) -> Node:
    """Its value is `value`, followed by those of the steps it refers to."""

    def bind(outcomes: Outcomes) -> Inputs:
        return Inputs(id, "+".join([value, *(outcomes[r].value for r in refers)]))

    return Node(id, "toy", Toy(systems, process, script or Script()), needs, refers, bind)
