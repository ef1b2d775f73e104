"""Where the database's backups are kept, for how long, and for whom they are encrypted."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.texts import Text


class Backups(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The backups that `cbctl db backup` makes."""

    to: Annotated[
        Text | None,
        Meta(
            description="a folder, or s3://BUCKET/PREFIX; <platform>/<environment> is added."
            " Without it, the state folder of the environment"
        ),
    ] = None
    recipient: Annotated[
        str | None,
        Meta(
            pattern=r"^age1\S+$",
            title="an age recipient (age1…)",
            description="whom they are encrypted for; public, the identity that opens them is not",
        ),
    ] = None
    encryption: Annotated[
        Literal["AES256", "aws:kms"], Meta(description="S3 only: how the bucket encrypts them")
    ] = "AES256"
    kms_key: Annotated[
        Text | None, Meta(description="S3 only: id or ARN of the key for `aws:kms`")
    ] = None
    before_migrations: Annotated[
        int,
        Meta(
            ge=0,
            le=8760,
            description="hours that the newest proved backup may be old before `cbctl deploy` runs"
            " migrations; an older one is followed by another. 0: never. Where `to` is not said,"
            " none is taken",
        ),
    ] = 24
    keep_days: Annotated[
        int, Meta(ge=1, le=3650, description="`cbctl db prune` removes what is older")
    ] = 30
    floor_days: Annotated[
        int, Meta(ge=0, le=3650, description="nothing younger is removed, whatever is asked for")
    ] = 7
