"""Pushes an image, built first where this machine has none, with a list of what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

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
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import _image

if TYPE_CHECKING:
    from cbctl.clients.images.name import Name
    from cbctl.clients.images.registry import Registry

BILL = "bill of materials"


@dataclass(frozen=True)
class Inputs:
    """
    name           of the image in cbctl.yaml
    repository     name without a tag
    containerfile  with `context`, the folder that it copies from
    sources        files and folders that it is made of
    arguments      of the build; anybody who has the image may read them
    registry       host:port by which the registry is reached, where that is another
    tool           docker, podman, buildah; "": the first that is here
    """

    containerfile: Path
    context: Path
    sources: tuple[Path, ...]
    repository: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    registry: str = ""
    tool: str = ""
    name: str = "api"


@dataclass(frozen=True)
class Facts:
    """
    image       with the tag of its sources
    repository  whether there is one to push to
    digest      what the tag means in the registry; "": nothing
    bill        digest of the list of what is in it; "": there is none
    """

    image: str
    repository: bool
    digest: str
    bill: str


@dataclass(frozen=True)
class Outcome:
    """
    image  by digest, as it is rolled out
    tag    of its sources
    bill   digest of the list of what is in it (CycloneDX), in the same repository
    """

    image: str
    tag: str
    bill: str


class Push(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Push an image"
    at_most: ClassVar[tuple[str, ...]] = ("repository", "image", BILL)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.aws.ecr import Ecr
        from cbctl.clients.images.tool import Tool

        name = _image.name_of(inputs)
        ecr = Ecr.of(name.registry)
        if ecr is not None:
            ecr.require_account()
            if not ecr.has(name.path):
                Tool.found(inputs.tool)
                return Observation(Facts(str(name), False, "", ""))
        with _image.registry_of(name, inputs.registry) as registry:
            digest = registry.digest(name.tag) or ""
            bill = _bill(registry, digest) if digest else ""
        if not digest:
            Tool.found(inputs.tool)  # before anything is changed
        return Observation(Facts(str(name), True, digest, bill))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        changes = []
        if not facts.repository:
            changes.append(Change("repository", None, facts.image.rpartition(":")[0]))
        if not facts.digest:
            changes.append(Change("image", None, facts.image))
        if not facts.bill:
            changes.append(Change(BILL, None, "CycloneDX"))
        return Changes(tuple(changes)) if changes else Nothing(f"{facts.image} is in the registry")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.aws.ecr import Ecr
        from cbctl.clients.images.credentials import login
        from cbctl.clients.images.tool import Tool

        name = _image.name_of(inputs)
        ecr = Ecr.of(name.registry)
        if ecr is not None and not ecr.has(name.path):
            ctx.fence()
            ecr.create(name.path)
        with _image.registry_of(name, inputs.registry) as registry:
            digest = registry.digest(name.tag)
            if digest is None:
                _image.build(ctx, inputs)
                ctx.fence()
                ctx.progress(f"pushing {name}")
                target = name.at(inputs.registry)
                who = login(name.registry)
                Tool.found(inputs.tool).push(name, target, who, _image.teller(ctx))
                digest = registry.digest(name.tag)
            if digest is None:
                raise CbctlError(
                    "was pushed, and the registry does not have it",
                    exit=Exit.NOT_UNDONE,
                    where=str(name),
                )
            bill = _bill(registry, digest) or _listed(ctx, registry, name, digest)
        return Outcome(name.by(digest), name.tag, bill)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        repository, _, tag = facts.image.rpartition(":")
        return Outcome(f"{repository}@{facts.digest}", tag, facts.bill)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        found = self.observe(ctx, inputs).facts
        if found.digest and found.bill:
            return Verified({"image": found.image, "digest": found.digest})
        return NotVerified(f"{found.image} or its {BILL} is not in the registry")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("an image that nothing runs from hurts nobody")


def _bill(registry: Registry, digest: str) -> str:
    from cbctl.clients.images import bill

    for one in registry.referrers(digest):
        if one.get("artifactType") == bill.KIND:
            return str(one.get("digest"))
    return ""


def _listed(ctx: Context, registry: Registry, name: Name, digest: str) -> str:
    """Reads what is in the image as the registry has it, and puts the list beside it."""
    from cbctl.clients.images import bill, contents

    ctx.progress("reading what is in it")
    manifest = registry.manifest(digest)
    if manifest is None:
        raise CbctlError("is gone from the registry", where=name.by(digest))
    made = bill.bill(name, digest, contents.packages(registry, manifest))
    ctx.fence()
    return registry.attach(digest, bill.KIND, made, {"org.opencontainers.image.title": "bill.json"})


STEP = Push()
