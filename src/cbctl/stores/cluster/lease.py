"""The lock's record as a Lease, which people can read with kubectl."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import msgspec

from cbctl.clients.kubernetes.api import Object
from cbctl.engine.lock import TIME_TO_LIVE
from cbctl.engine.store import Conflict, LockRecord
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster.objects import LABELS, LEASE, Changed, Objects

NAME: Final = "cbctl-lock"
_RECORD: Final = "cbctl/lock"
"""Annotation with the whole record; what stands in the spec is for people."""


class Lease:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._seen: Object | None = None

    def read(self) -> LockRecord | None:
        self._seen = seen = self._objects.get(LEASE, NAME)
        return self._record(seen) if seen else None

    def swap(self, expected: LockRecord | None, new: LockRecord) -> None:
        """Raises Conflict when the record is not the expected one."""
        seen = self._seen
        if (self._record(seen) if seen else None) != expected:
            if self.read() != expected:
                raise Conflict("the lock changed meanwhile")
            seen = self._seen
        try:
            if seen:
                version = seen["metadata"]["resourceVersion"]
                self._seen = self._objects.replace(LEASE, version, _lease(new))
            else:
                self._seen = self._objects.create(LEASE, _lease(new))
        except Changed:
            if self.read() != new:
                raise Conflict("the lock changed meanwhile") from None

    def _record(self, lease: Object) -> LockRecord:
        written = (lease["metadata"].get("annotations") or {}).get(_RECORD, "")
        try:
            return msgspec.json.decode(written, type=LockRecord)
        except (msgspec.MsgspecError, RecursionError):
            raise CbctlError(
                "the lock's record cannot be read",
                exit=Exit.REFUSED,
                where=f"{self._objects.where} Lease {NAME}",
                fix=f"if no cbctl is at work on this environment: kubectl delete lease {NAME}",
            ) from None


def _lease(record: LockRecord) -> Object:
    owner = record.owner
    holder = f"{owner.who} on {owner.host}: {record.reason}" if record.held else None
    return {
        "metadata": {
            "name": NAME,
            "labels": LABELS,
            "annotations": {_RECORD: msgspec.json.encode(asdict(record)).decode()},
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(TIME_TO_LIVE),
            "leaseTransitions": record.token,
            "renewTime": datetime.now(UTC).isoformat(timespec="microseconds"),
        },
    }
