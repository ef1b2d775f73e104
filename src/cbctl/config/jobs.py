"""Jobs in the cluster, for steps on what only the cluster reaches."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from cbctl.config.reference import Reference
from cbctl.config.texts import DnsLabel

Size = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi|Ti)$", title="a size, for example 500Mi or 20Gi")
]


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
        int,
        Meta(ge=1, le=86_400, description="that a change may take: migrations, a dump, a restore"),
    ] = 21_600
    disk: Annotated[
        Size,
        Meta(
            description="that a Job may take of its node's disk, for a dump or a scratch server;"
            " nothing is reserved"
        ),
    ] = "20Gi"
    variables_from: Annotated[
        DnsLabel | None,
        Meta(
            description="a Secret of the namespace whose keys become variables of Jobs that work on"
            " backups, such as AWS_ACCESS_KEY_ID; where the service account has no identity in AWS"
        ),
    ] = None
