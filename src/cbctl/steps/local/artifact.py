"""`local.artifact`: keeps a file in the state folder under its sha256, for this release and for
going back to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cbctl.engine.step import (
    Blocked,
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
)
from cbctl.errors import CbctlError
from cbctl.local import artifacts
from cbctl.local.files import read_limited
from cbctl.local.state import State

LIMIT = 10 << 20  # bytes; what is kept is meant for a chain, and no account there holds more


@dataclass(frozen=True)
class Inputs:
    """platform, env  name the state folder
    file     to be kept
    sha256   of one that is kept already, instead of `file`
    program  the file is a Solana program: one that no cluster would take is refused, before
             anything is started for it
    keep     false: it is only looked at, since somebody else keeps it
    """

    platform: str
    env: str
    file: Path | None = None
    sha256: str = ""
    program: bool = False
    keep: bool = True


@dataclass(frozen=True)
class Facts:
    """kept: it is in the state folder, complete, or need not be; problem: why it cannot be used"""

    sha256: str
    kept: bool
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """path: of the kept copy"""

    sha256: str
    path: str


class Artifact(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Keep a file for this release"
    at_most: ClassVar[tuple[str, ...]] = ("kept file",)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        state = State.open(inputs.platform, inputs.env)
        if inputs.file is None:
            try:
                artifacts.verified(state, inputs.sha256)
            except CbctlError as error:
                return Observation(Facts(inputs.sha256, False, str(error)))
            return Observation(Facts(inputs.sha256, True))
        try:
            content = read_limited(inputs.file, LIMIT)
        except FileNotFoundError:
            return Observation(Facts("", False, f"there is no file {inputs.file}"))
        except OSError as error:
            why = f"{inputs.file} cannot be kept: {error.strerror}"
            return Observation(Facts("", False, why))
        sha256 = hashlib.sha256(content).hexdigest()
        kept = not inputs.keep or artifacts.is_kept(state, sha256)
        problem = _program_problem(inputs.file, content) if inputs.program and not kept else ""
        return Observation(Facts(sha256, kept, problem))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.problem:
            return Blocked(facts.problem)
        if facts.kept:
            return Nothing("it is kept" if inputs.keep else "it is there")
        return Changes((Change("kept file", None, facts.sha256),))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        state = State.open(inputs.platform, inputs.env)
        assert inputs.file is not None  # without a file there is never a change
        ctx.fence()
        return _outcome(state, artifacts.put_file(state, inputs.file, limit=LIMIT))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        if not inputs.keep:
            return Outcome(facts.sha256, str(inputs.file))
        return _outcome(State.open(inputs.platform, inputs.env), facts.sha256)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        if facts.problem or not facts.kept:
            return NotVerified(facts.problem or "it is not kept")
        return Verified({"sha256": facts.sha256})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # a kept file that no release names is in nobody's way


def _program_problem(file: Path, content: bytes) -> str:
    from cbctl.clients.solana import dry_deploy, elf

    try:
        why = dry_deploy.problem(elf.parse(content))
    except elf.BadElf as bad:
        why = bad.why
    return f"{file.name} is not a program that could be deployed: {why}" if why else ""


def _outcome(state: State, sha256: str) -> Outcome:
    return Outcome(sha256, str(artifacts.verified(state, sha256)))


STEP = Artifact()
