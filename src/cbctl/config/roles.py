"""The database's roles beside the one that owns the schema, each with a secret of its own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.reference import Reference

Right = Literal["select", "insert", "update", "delete"]


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `cbctl db roles` makes and keeps as it should be."""

    app: Annotated[
        Reference | None, Meta(description="URL that the service connects with; never the owner's")
    ] = None
    app_may: Annotated[
        tuple[Right, ...], Meta(description="what its role may do with the tables of migrations")
    ] = ("select", "insert", "update", "delete")
    readonly: Annotated[
        Reference | None,
        Meta(description="URL of a role that reads everything, also for `cbctl db shell`"),
    ] = None
