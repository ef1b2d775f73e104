"""What former holders of the lock have written: each stream in ConfigMaps of its own.

They are never changed, only added to by further ones, named after the first record in them: so
whoever writes needs no right to change a ConfigMap but that of the log.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from cbctl.stores.cluster.log import Records
from cbctl.stores.cluster.objects import CONFIG_MAP, FULL, LABELS, Changed, Objects

_STREAM: Final = "cbctl/stream"
_KIND: Final = "cbctl/records"


def names(objects: Objects, prefix: str) -> set[str]:
    kind = prefix.rstrip("/")
    return {
        one[_STREAM].replace(".", "/", 1) for one in objects.labels(f"{_KIND}={kind},{_STREAM}")
    }


def read(objects: Objects, stream: str) -> dict[int, str]:
    parts = objects.selected(f"{_STREAM}={stream.replace('/', '.', 1)}")
    return {int(n): line for one in parts for n, line in (one.get("data") or {}).items()}


def move(objects: Objects, stream: str, records: Records) -> None:
    """Adds what is not there yet. Others may do the same at the same time: a record never changes,
    so that one which stands in two places is the same in both."""
    while left := _left(objects, stream, records):
        first = min(left)
        kind, _, name = stream.partition("/")
        metadata = {
            "name": f"cbctl-{kind}-{name.lower()}-{first:06}",
            "labels": {**LABELS, _KIND: kind, _STREAM: f"{kind}.{name}"},
        }
        wanted = {"metadata": metadata, "immutable": True, "data": _fitting(left)}
        with suppress(Changed):  # another one was quicker
            objects.create(CONFIG_MAP, wanted)


def _left(objects: Objects, stream: str, records: Records) -> Records:
    there = read(objects, stream)
    return {n: records[n] for n in sorted(records.keys() - there.keys())}


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
