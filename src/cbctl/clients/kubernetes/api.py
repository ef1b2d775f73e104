"""The objects of one cluster, as plain JSON, in one namespace unless they have none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from cbctl.clients.kubernetes import kubeconfig
from cbctl.clients.kubernetes.failures import Refused
from cbctl.clients.kubernetes.transport import Query, Sleep, Transport
from cbctl.errors import CbctlError, Exit

Object = dict[str, Any]
MANAGER: Final = "cbctl"
"""Our name as a field manager: what we applied is ours to change and to remove."""

ASK_SECONDS: Final = 5.0  # that a pod may take until it answers well

_PLURALS: Final[dict[tuple[str, str], tuple[str, bool]]] = {
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Event"): ("events", True),
    ("v1", "Pod"): ("pods", True),
    ("v1", "ResourceQuota"): ("resourcequotas", True),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "Service"): ("services", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("apps/v1", "Deployment"): ("deployments", True),
    ("apps/v1", "ReplicaSet"): ("replicasets", True),
    ("batch/v1", "Job"): ("jobs", True),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): ("horizontalpodautoscalers", True),
    ("coordination.k8s.io/v1", "Lease"): ("leases", True),
    ("discovery.k8s.io/v1", "EndpointSlice"): ("endpointslices", True),
    ("networking.k8s.io/v1", "Ingress"): ("ingresses", True),
    ("networking.k8s.io/v1", "NetworkPolicy"): ("networkpolicies", True),
    ("policy/v1", "PodDisruptionBudget"): ("poddisruptionbudgets", True),
    ("rbac.authorization.k8s.io/v1", "Role"): ("roles", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
}
"""What is the same on every cluster. Anything else is asked for."""


class Api:
    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport, self.namespace = transport, namespace
        self._plurals = dict(_PLURALS)

    @classmethod
    def connect(
        cls,
        context: str,
        namespace: str,
        *,
        patience: float = 5.0,
        sleep: Sleep = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> Api:
        access = kubeconfig.load(context, environ)
        return cls(Transport(access, patience=patience, sleep=sleep), namespace)

    @classmethod
    def of_pod(cls) -> Api:
        """The cluster and the namespace that this process is a pod of."""
        namespace = (kubeconfig.POD / "namespace").read_text()
        return cls(Transport(kubeconfig.of_pod()), namespace)

    @property
    def where(self) -> str:
        return f"{self.transport.where}/{self.namespace}"

    def close(self) -> None:
        self.transport.close()

    def require_uid(self, uid: str) -> None:
        """Raises CbctlError (7) when the namespace is not the one of that UID; "": not known."""
        if not uid:
            return
        there = self.get("v1", "Namespace", self.namespace)
        found = there["metadata"]["uid"] if there else "not there"
        if found != uid:
            raise CbctlError(
                f"this is another cluster or namespace than the one that was recorded: its UID is"
                f" {found}, not {uid}",
                where=self.where,
                exit=Exit.REFUSED,
                fix="check `clusters` and `identity` in cbctl.yaml, and the kubeconfig",
            )

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """None when there is no such object."""
        try:
            found: Object = self.transport.call("GET", self.path(api_version, kind, name))
        except Refused as error:
            if error.missing:
                return None
            raise
        return found

    def list(self, api_version: str, kind: str, **selectors: str) -> list[Object]:
        """selectors: `labelSelector`, `fieldSelector`. [] too when the cluster lacks the kind."""
        try:
            listed = self.transport.call("GET", self.path(api_version, kind), selectors)
        except Refused as error:
            if error.missing:
                return []
            raise
        items: list[Object] = listed["items"]
        for item in items:  # lists leave these out
            item.setdefault("apiVersion", api_version)
            item.setdefault("kind", kind)
        return items

    def create(self, wanted: Object) -> Object:
        """As it is then: what is there already is left as it is."""
        api_version, kind = wanted["apiVersion"], wanted["kind"]
        try:
            made: Object = self.transport.call(
                "POST", self.path(api_version, kind), {"fieldManager": MANAGER}, wanted
            )
        except Refused as error:
            there = self.get(api_version, kind, wanted["metadata"]["name"])
            if there is None or not error.conflict:
                raise
            return there
        return made

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        """Server-side: fields of ours that `wanted` lacks are removed, those of others kept.

        Raises Refused with `conflict` where another manager owns a field: never forced.
        """
        path = self.path(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"])
        query = {
            "fieldManager": MANAGER,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else None,
        }
        applied: Object = self.transport.call(
            "PATCH", path, query, wanted, "application/apply-patch+yaml"
        )
        return applied

    def merge(self, api_version: str, kind: str, name: str, change: Object) -> Object:
        """Changes single fields of an object whose other fields are not ours."""
        path = self.path(api_version, kind, name)
        merged: Object = self.transport.call(
            "PATCH", path, {"fieldManager": MANAGER}, change, "application/merge-patch+json"
        )
        return merged

    def scale(self, deployment: str, count: int) -> None:
        """Sets its number of pods, which then is nobody's field of an applied configuration."""
        path = f"{self.path('apps/v1', 'Deployment', deployment)}/scale"
        change = {"spec": {"replicas": count}}
        self.transport.call(
            "PATCH", path, {"fieldManager": MANAGER}, change, "application/merge-patch+json"
        )

    def ask(self, pod: str, port: int, path: str) -> bytes:
        """What the pod itself answers, by way of the API server. Raises Refused, Unreachable."""
        way = f"{self.path('v1', 'Pod', f'{pod}:{port}')}/proxy{path}"
        return self.transport.raw("GET", way, patience=ASK_SECONDS)

    def delete(self, api_version: str, kind: str, name: str, uid: str | None = None) -> None:
        """Nothing happens when it is gone already, or is another one by now (`uid`)."""
        body: Object = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self.transport.call("DELETE", self.path(api_version, kind, name), None, body)
        except Refused as error:
            if not (error.missing or error.conflict):
                raise

    def log(self, pod: str, container: str, *, lines: int, previous: bool = False) -> str:
        """The last lines; "" when there are none to be had."""
        path = f"{self.path('v1', 'Pod', pod)}/log"
        query: Query = {
            "container": container,
            "tailLines": lines,
            "limitBytes": 64 << 10,
            "previous": "true" if previous else None,
        }
        try:
            return self.transport.raw("GET", path, query).decode(errors="replace")
        except Refused:
            return ""

    def log_lines(self, pod: str, container: str, *, lines: int) -> Iterator[str]:
        """The last lines and then every new one, until the container ends."""
        path = f"{self.path('v1', 'Pod', pod)}/log"
        query: Query = {"container": container, "tailLines": lines, "follow": "true"}
        stream = self.transport.stream(path, query, None)
        try:
            for line in stream.lines():
                yield line.decode(errors="replace").rstrip("\n")
        finally:
            stream.close()

    def path(self, api_version: str, kind: str, name: str = "") -> str:
        plural, namespaced = self._plural(api_version, kind)
        root = "/api" if "/" not in api_version else "/apis"
        place = f"/namespaces/{quote(self.namespace)}" if namespaced else ""
        tail = f"/{quote(name, safe=':')}" if name else ""
        return f"{root}/{api_version}{place}/{plural}{tail}"

    def resource(self, api_version: str, kind: str) -> tuple[str, str]:
        """Its group and its name in paths and roles. Raises Refused where the cluster lacks it."""
        group = api_version.partition("/")[0] if "/" in api_version else ""
        return group, self._plural(api_version, kind)[0]

    def _plural(self, api_version: str, kind: str) -> tuple[str, bool]:
        known = self._plurals.get((api_version, kind))
        if known is not None:
            return known
        root = "/api" if "/" not in api_version else "/apis"
        offered = self.transport.call("GET", f"{root}/{api_version}")
        for one in offered["resources"]:
            if "/" not in one["name"]:
                self._plurals[api_version, one["kind"]] = (one["name"], one["namespaced"])
        if (api_version, kind) not in self._plurals:
            raise Refused(404, b'{"message": "the cluster has no such kind of object"}')
        return self._plurals[api_version, kind]
