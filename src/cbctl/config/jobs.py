"""Jobs in the cluster, for steps on what only the cluster reaches."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from cbctl.config.reference import Reference
from cbctl.config.texts import DnsLabel


class Jobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How steps run there, for parts with `access: in-cluster`."""

    image: Annotated[
        str | Reference | None,
        Meta(description="of cbctl itself, by digest: name@sha256:…; of the version that is used"),
    ] = None
    service_account: Annotated[
        DnsLabel, Meta(description="may read the environment's lock and nothing else")
    ] = "cbctl-job"
    seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="that a change may take, for example migrations")
    ] = 3600
