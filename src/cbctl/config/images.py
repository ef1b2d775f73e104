"""Images of the platform's own: where they are pushed to, and what they are built from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.reference import Reference
from cbctl.config.texts import Text

API = "api"
"""Of `images`, the one that the service runs from."""


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Built by `cbctl api build`, pushed by `cbctl api push`."""

    repository: Annotated[
        str | Reference, Meta(description="name without a tag: registry.example/shop/api")
    ]
    containerfile: Path
    context: Annotated[Path, Meta(description="folder that the Containerfile copies from")]
    sources: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="files and folders that it is made of: when none of them"
            " changed, nothing is built anew",
        ),
    ]
    arguments: Annotated[
        dict[Text, str | Reference],
        Meta(description="build arguments, for example BASE; no secrets: the image shows them"),
    ] = {}
    registry: Annotated[
        Text | None,
        Meta(description="host:port by which cbctl reaches the registry, where that is another"),
    ] = None
    tool: Annotated[
        Literal["docker", "podman", "buildah"] | None,
        Meta(description="what builds it; without one, the first that is there"),
    ] = None


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Only images that were signed by this key are rolled out."""

    key: Annotated[Path, Meta(description="public key of cosign, PEM")]
    provenance: Annotated[
        bool, Meta(description="a signed statement of how it was built is asked for too")
    ] = False
