"""An image and what it is made of: the same sources have the same tag, wherever it is built."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.images.name import Name
    from cbctl.clients.images.registry import Registry

_TELL_EVERY = 0.5  # seconds: a build prints thousands of lines


class Made(Protocol):
    """
    repository     name without a tag
    containerfile  with `context`, the folder that it copies from
    sources        files and folders that it is made of
    arguments      of the build; anybody who has the image may read them
    tool           docker, podman, buildah; "": the first that is here
    """

    @property
    def repository(self) -> str: ...

    @property
    def containerfile(self) -> Path: ...

    @property
    def context(self) -> Path: ...

    @property
    def sources(self) -> tuple[Path, ...]: ...

    @property
    def arguments(self) -> Mapping[str, str]: ...

    @property
    def tool(self) -> str: ...


def name_of(inputs: Made) -> Name:
    """With the tag that says what it is made of. Raises CbctlError (64) for what is not there."""
    from dataclasses import replace

    from cbctl.clients.images.name import parse
    from cbctl.local.artifacts import file_sha256, tree_sha256

    if not inputs.repository:
        raise CbctlError(
            "the repository of the image is not set",
            exit=Exit.USAGE,
            fix="set `images` in cbctl.yaml, and the variables that it names",
        )
    named = parse(inputs.repository)
    if named.tag or named.digest:
        raise CbctlError(
            f"the repository {inputs.repository} has a tag or a digest; it is to have none",
            exit=Exit.USAGE,
        )
    total = hashlib.sha256()
    for path in (inputs.containerfile, *inputs.sources):
        try:
            found = tree_sha256(path) if path.is_dir() else file_sha256(path)
        except FileNotFoundError:
            raise CbctlError("there is no such file", exit=Exit.USAGE, where=str(path)) from None
        total.update(f"{path.name} {found}\n".encode())
    for name, value in sorted(inputs.arguments.items()):
        total.update(f"{name}={value}\n".encode())
    return replace(named, tag=total.hexdigest()[:20])


def build(ctx: Context, inputs: Made) -> Name:
    """Builds it, unless this machine has it."""
    from cbctl.clients.images.tool import Tool

    tool, name = Tool.found(inputs.tool), name_of(inputs)
    if not tool.has(name):
        ctx.fence()
        said = teller(ctx)
        tool.build(name, inputs.context, inputs.containerfile, inputs.arguments, said)
    return name


def teller(ctx: Context) -> Callable[[str], None]:
    """Tells now and then what a tool prints. Raises when the run is to stop, also while the tool
    is silent and the text empty."""
    last = ctx.monotonic() - _TELL_EVERY

    def tell(text: str) -> None:
        nonlocal last
        ctx.sleep(0)
        if text and ctx.monotonic() - last >= _TELL_EVERY:
            last = ctx.monotonic()
            ctx.progress(text[:120])

    return tell


def registry_of(name: Name, by: str = "") -> Registry:
    """As whoever is signed in there. by: host and port by which it is reached"""
    from cbctl.clients.images.credentials import login
    from cbctl.clients.images.registry import Registry

    return Registry(name.at(by), login(name.registry))
