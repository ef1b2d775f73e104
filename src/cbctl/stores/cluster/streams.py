"""What former holders of the lock have written: each stream in ConfigMaps of its own, old runs
packed.

A ConfigMap is never changed, only further ones are added, named after the first record in them: so
whoever writes needs no right to change a ConfigMap but that of the log. Old runs are packed by who
may remove what was packed. That needs no lock, for a record never changes: who reads meanwhile
finds it in one place or in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from cbctl.clients.kubernetes.api import Object
from cbctl.stores.cluster.archive import ARCHIVE, Archive, Batch
from cbctl.stores.cluster.log import Records
from cbctl.stores.cluster.objects import CONFIG_MAP, FULL, KIND, LABELS, STREAM, Changed, Objects

RUNS: Final = "runs/"
LOOSE: Final = 50
"""Newest runs that stay as they are, for people with kubectl."""
BATCH: Final = 50
"""Runs beyond these that are waited for, so that what is packed together is worth it."""
_LARGEST: Final = 1 << 20
"""Bytes of records that are packed together at most."""


class Streams:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._archive = Archive(objects)

    def names(self, prefix: str) -> set[str]:
        found = self._loose(prefix)
        if prefix == RUNS:
            found |= self._archive.names()
        return found

    def read(self, stream: str) -> dict[int, str]:
        """One request for the loose ones and the index of what is packed: what was between is in
        neither."""
        found: dict[int, str] = {}
        for one in self._parts(stream):
            found |= self._archive.read(one, stream) if _packed(one) else _records(one)
        return found

    def move(self, stream: str, records: Records) -> None:
        """Adds what is not there yet. Others may do the same at the same time: what stands in two
        places is the same in both."""
        while left := self._left(stream, records):
            kind, _, name = stream.partition("/")
            metadata = {
                "name": f"cbctl-{kind}-{name.lower()}-{min(left):06}",
                "labels": {**LABELS, KIND: kind, STREAM: f"{kind}.{name}"},
            }
            wanted = {"metadata": metadata, "immutable": True, "data": _fitting(left)}
            with suppress(Changed):  # another one was quicker
                self._objects.create(CONFIG_MAP, wanted)

    def tidy(self) -> None:
        """Packs the oldest runs, where there are enough of them and we may."""
        loose = sorted(self._loose(RUNS))
        if len(loose) < LOOSE + BATCH or not self._removable(loose[0]):
            return
        for batch in self._batches(loose[:-LOOSE]):
            self._archive.pack(batch)
            for stream, records in batch.items():
                self._remove(stream, records)

    # -- details ----------------------------------------------------------------------------

    def _loose(self, prefix: str) -> set[str]:
        found = self._objects.metadata(f"{KIND}={prefix.rstrip('/')},{STREAM}")
        return {one["labels"][STREAM].replace(".", "/", 1) for one in found}

    def _parts(self, stream: str) -> list[Object]:
        name = stream.replace("/", ".", 1)
        if stream.startswith(RUNS):
            return self._objects.selected(f"{STREAM} in ({name},{ARCHIVE})")
        return self._objects.selected(f"{STREAM}={name}")

    def _left(self, stream: str, records: Records) -> Records:
        there = self.read(stream)
        return {n: records[n] for n in sorted(records.keys() - there.keys())}

    def _batches(self, names: list[str]) -> Iterator[Batch]:
        batch: dict[str, Records] = {}
        room = _LARGEST
        for name in names:
            records = self.read(name)
            size = sum(len(line.encode()) for line in records.values())
            if size > _LARGEST:
                continue  # loose it is as good
            if size > room:
                yield batch
                batch, room = {}, _LARGEST
            batch[name] = records
            room -= size
        if batch:
            yield batch

    def _removable(self, stream: str) -> bool:
        loose = [one for one in self._parts(stream) if not _packed(one)]
        return all(self._objects.may_delete(one["metadata"]["name"]) for one in loose[:1])

    def _remove(self, stream: str, packed: Records) -> None:
        for one in self._parts(stream):
            if not _packed(one) and _records(one).keys() <= packed.keys():
                self._objects.delete(one["metadata"]["name"])


def _fitting(left: Records) -> dict[str, str]:
    """As many as go into one object; one at least."""
    data: dict[str, str] = {}
    room = FULL
    for number, line in left.items():
        room -= len(line.encode())
        if room < 0 and data:
            break
        data[f"{number:06}"] = line
    return data


def _packed(one: Object) -> bool:
    return bool(one["metadata"]["labels"][STREAM] == ARCHIVE)


def _records(part: Object) -> dict[int, str]:
    return {int(number): line for number, line in (part.get("data") or {}).items()}
