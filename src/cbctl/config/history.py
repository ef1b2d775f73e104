"""Where a copy of the history is kept, beside the environment and the operators' machines."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """After each run its journal and the releases are copied there; they hold no secrets."""

    to: Annotated[
        Annotated[str, Meta(pattern=r"^s3://[^/\s]+\S*$", title="s3://BUCKET/PREFIX")] | None,
        Meta(description="s3://BUCKET/PREFIX; <platform>/<environment> is added"),
    ] = None
    encryption: Annotated[
        Literal["AES256", "aws:kms"], Meta(description="how the bucket encrypts it")
    ] = "AES256"
    kms_key: Annotated[str | None, Meta(description="id or ARN of the key for `aws:kms`")] = None
