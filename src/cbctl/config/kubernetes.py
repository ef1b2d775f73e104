"""Where Kubernetes is, and how the service runs there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cbctl.config.texts import DnsLabel, Text, UrlPath


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Kubernetes cluster and the namespace that belongs to the environment."""

    context: Annotated[Text, Meta(description="context of the kubeconfig")]
    namespace: DnsLabel


class Connections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Connections to the database, counted before the pods of a second side are started."""

    pool: Annotated[int, Meta(ge=1, description="that one pod opens at most")]
    database: Annotated[int, Meta(ge=1, description="that the database takes: max_connections")]


class Soak(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is watched after a rollout before its release counts as healthy. A pod that restarts
    ends it at once."""

    seconds: Annotated[int, Meta(ge=1, le=86_400, description="how long")] = 300
    errors: Annotated[
        int, Meta(ge=0, le=100, description="per cent of answers that may be server errors (5xx)")
    ] = 1
    p95_ms: Annotated[
        int, Meta(ge=1, description="milliseconds within which 95 % must be answered")
    ] = 2000
    metrics: Annotated[
        UrlPath | None,
        Meta(description="where a pod counts its requests; null: only restarts are watched"),
    ] = "/metrics"


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
    soak: Soak = Soak()
    url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s@?#]+$", title="an http:// or https:// URL")]
        | None,
        Meta(description="address at which others reach it, asked after a rollout"),
    ] = None
