"""Old runs, packed together: a namespace with years of them stays quick to read.

Nothing is forgotten: the audit follows the chain of runs to the first one.

    ConfigMap cbctl-archive-HASH        the records, gzipped
    ConfigMap cbctl-archive-HASH-index  whose records these are; made when the other is there
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from cbctl.clients.kubernetes.api import Object
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster.log import Records
from cbctl.stores.cluster.objects import CONFIG_MAP, KIND, LABELS, STREAM, Changed, Objects

ARCHIVE: Final = "archive"
"""As the label of an index, where a part of a stream has the stream's name."""
_RECORDS: Final = "records.gz"
_STREAMS: Final = "streams"

Batch = Mapping[str, Records]
"""By stream."""


class Archive:
    """Reads each object once: none is ever changed."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, dict[str, dict[int, str]]] = {}

    def names(self) -> set[str]:
        found = self._objects.selected(f"{STREAM}={ARCHIVE}")
        return {name for one in found for name in _streams(one)}

    def read(self, index: Object, stream: str) -> Records:
        if stream not in _streams(index):
            return {}
        name = index["metadata"]["name"].removesuffix("-index")
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name].get(stream, {})

    def pack(self, batch: Batch) -> None:
        packed = gzip.compress(json.dumps(batch, sort_keys=True).encode(), mtime=0)
        name = f"cbctl-archive-{hashlib.sha256(packed).hexdigest()[:16]}"
        data = {_RECORDS: base64.b64encode(packed).decode()}
        self._make({"metadata": _named(name), "immutable": True, "binaryData": data})
        names = {_STREAMS: json.dumps(sorted(batch))}
        index = _named(f"{name}-index", **{STREAM: ARCHIVE})
        self._make({"metadata": index, "immutable": True, "data": names})

    def _make(self, wanted: Object) -> None:
        with suppress(Changed):  # the same is there already
            self._objects.create(CONFIG_MAP, wanted)

    def _read(self, name: str) -> dict[str, dict[int, str]]:
        kept = self._objects.get(CONFIG_MAP, name)
        try:
            packed = base64.b64decode((kept or {})["binaryData"][_RECORDS])
            told: dict[str, dict[str, str]] = json.loads(gzip.decompress(packed))
        except (KeyError, ValueError, OSError, EOFError, zlib.error):
            raise CbctlError(
                "these old runs were changed or removed by hand",
                exit=Exit.DIFFERS,
                where=f"{self._objects.where} ConfigMap {name}",
                fix="bring the object back from a backup of the cluster",
            ) from None
        return {
            stream: {int(number): line for number, line in records.items()}
            for stream, records in told.items()
        }


def _named(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": {**LABELS, KIND: ARCHIVE, **labels}}


def _streams(index: Object) -> list[str]:
    found: list[str] = json.loads(index["data"][_STREAMS])
    return found
