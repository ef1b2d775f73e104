"""Where Kubernetes is, and how the service runs there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.texts import DnsLabel, Text


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Kubernetes cluster and the namespace that belongs to the environment."""

    context: Annotated[Text, Meta(description="context of the kubeconfig")]
    namespace: DnsLabel


class Connections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Connections to the database, counted before the pods of a second side are started."""

    pool: Annotated[int, Meta(ge=1, description="that one pod opens at most")]
    database: Annotated[int, Meta(ge=1, description="that the database takes: max_connections")]


class Kubernetes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The service as a Deployment, rolled out by `cbctl api rollout`."""

    manifests: Annotated[Path, Meta(description="folder of the overlay, for `kubectl kustomize`")]
    deployment: Annotated[
        Text | None, Meta(description="its name, where the manifests have several")
    ] = None
    container: Annotated[
        Text | None, Meta(description="that of the service, where the Deployment has several")
    ] = None
    strategy: Annotated[
        Literal["rolling", "blue-green"],
        Meta(
            description="rolling: pods are replaced one by one; blue-green: as many new ones are"
            " started and asked, then Services switch to them"
        ),
    ] = "rolling"
    connections: Annotated[
        Connections | None, Meta(description="for blue-green: what the database can bear")
    ] = None
    seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="how long a rollout may take to a verdict")
    ] = 900
