"""ConfigMaps and Leases of one namespace, each changed only from the version that was seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from cbctl.clients.kubernetes.api import MANAGER, Api, Object
from cbctl.clients.kubernetes.failures import Refused, Unreachable
from cbctl.errors import CbctlError, Exit

CONFIG_MAP: Final = ("v1", "ConfigMap")
LEASE: Final = ("coordination.k8s.io/v1", "Lease")
Kind = tuple[str, str]
FULL: Final = 64 << 10
"""Bytes of records after which another object is begun. The server would take 1 MiB, but writes all
of it again with each record that is added."""
LABELS: Final = {"app.kubernetes.io/managed-by": "cbctl"}
KIND: Final = "cbctl/records"
STREAM: Final = "cbctl/stream"
"""Labels: what an object holds, and of which stream."""

_JSON: Final = "application/json"
_NAMES: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_LISTED_NAMES: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_LOOKING: Final = 5.0
_HOLDING: Final = 60.0


class Changed(Exception):
    """The object is another one by now, or gone; or our own change was made and its answer lost."""


class Objects:
    """
    connect  called when something is read or written for the first time
    holding  whoever holds the lock waits longer for a server that restarts, rather than leave its
             work half done
    """

    def __init__(self, connect: Callable[[], Api]) -> None:
        self._connect = connect
        self.holding = False

    @cached_property
    def _api(self) -> Api:
        return self._connect()

    @property
    def where(self) -> str:
        return self._api.where

    def get(self, kind: Kind, name: str) -> Object | None:
        try:
            found: Object = self._call("GET", kind, name)
        except Refused as error:
            if error.missing:
                return None
            raise
        return found

    def selected(self, labels: str) -> list[Object]:
        """ConfigMaps."""
        answer = self._call("GET", CONFIG_MAP, query={"labelSelector": labels})
        found: list[Object] = answer["items"]
        return found

    def metadata(self, labels: str) -> list[Object]:
        """That of ConfigMaps, without what is in them."""
        query = {"labelSelector": labels}
        found = self._call("GET", CONFIG_MAP, query=query, accept=_LISTED_NAMES)
        return [one["metadata"] for one in found["items"] or ()]

    def create(self, kind: Kind, wanted: Object) -> Object:
        """Raises Changed when there is one already."""
        return self._change("POST", kind, "", {"apiVersion": kind[0], "kind": kind[1], **wanted})

    def replace(self, kind: Kind, version: str, wanted: Object) -> Object:
        """Raises Changed when it is not of this version any more."""
        metadata = {**wanted["metadata"], "resourceVersion": version}
        whole = {"apiVersion": kind[0], "kind": kind[1], **wanted, "metadata": metadata}
        return self._change("PUT", kind, metadata["name"], whole)

    def add(self, name: str, version: str, data: dict[str, str]) -> str:
        """Adds to the data of a ConfigMap of this version; returns the new version."""
        change = {"metadata": {"resourceVersion": version}, "data": data}
        merge = "application/merge-patch+json"
        made = self._change("PATCH", CONFIG_MAP, name, change, content=merge, accept=_NAMES)
        return str(made["metadata"]["resourceVersion"])

    def delete(self, name: str) -> None:
        self._api.delete(*CONFIG_MAP, name)

    def may_delete(self, name: str) -> bool:
        try:
            self._call("DELETE", CONFIG_MAP, name, query={"dryRun": "All"})
        except Refused as error:
            if error.exit is not Exit.CREDENTIALS:
                raise
            return False
        return True

    def _change(
        self,
        method: str,
        kind: Kind,
        name: str,
        body: Object,
        *,
        content: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        try:
            made: Object = self._call(method, kind, name, body, content, accept)
        except Refused as error:
            if error.missing and method == "POST":
                raise CbctlError(
                    "this namespace is not there",
                    exit=Exit.REFUSED,
                    where=self.where,
                    fix="make it first, with the rights of its people: journal, lock and releases"
                    " of the environment are kept in it",
                ) from None
            if error.conflict or error.missing:
                raise Changed from None
            raise
        return made

    def _call(
        self,
        method: str,
        kind: Kind,
        name: str = "",
        body: Object | None = None,
        content: str = _JSON,
        accept: str = _JSON,
        query: dict[str, str] | None = None,
    ) -> Any:
        path = self._api.path(*kind, name)
        if method in ("POST", "PUT", "PATCH"):
            query = {"fieldManager": MANAGER}
        patience = _HOLDING if self.holding else _LOOKING
        try:
            answer = self._api.transport.raw(
                method, path, query, body, content, patience=patience, accept=accept
            )
        except Unreachable:
            self.holding = False  # what was waited for in vain is not waited for again
            raise
        return json.loads(answer)
