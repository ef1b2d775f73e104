"""Builds an image, unless this machine has one of the same sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

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
)
from cbctl.steps.api import _image


@dataclass(frozen=True)
class Inputs:
    """
    name           of the image in cbctl.yaml
    repository     name without a tag
    containerfile  with `context`, the folder that it copies from
    sources        files and folders that it is made of
    arguments      of the build; anybody who has the image may read them
    tool           docker, podman, buildah; "": the first that is here
    """

    containerfile: Path
    context: Path
    sources: tuple[Path, ...]
    repository: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    tool: str = ""
    name: str = "api"


@dataclass(frozen=True)
class Facts:
    """image: with the tag of its sources; built: whether this machine has it"""

    image: str
    built: bool


@dataclass(frozen=True)
class Outcome:
    """image: by its tag; it has a digest when it is pushed"""

    image: str


class Build(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Build an image"
    at_most: ClassVar[tuple[str, ...]] = ("image",)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.images.tool import Tool

        tool, name = Tool.found(inputs.tool), _image.name_of(inputs)
        return Observation(Facts(str(name), tool.has(name)), {"tool": tool.kind})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.built:
            return Nothing(f"{facts.image} is built")
        return Changes((Change("image", None, facts.image),))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        return Outcome(str(_image.build(ctx, inputs)))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(facts.image)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        found = self.observe(ctx, inputs).facts
        if found.built:
            return Verified({"image": found.image})
        return NotVerified(f"{found.image} is not there")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("an image that nothing runs from hurts nobody")


STEP = Build()
