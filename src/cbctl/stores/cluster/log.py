"""What the present holder of the lock has written: the one place where records are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cbctl.clients.kubernetes.api import Object
from cbctl.engine.store import Owner
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster.objects import CONFIG_MAP, LABELS, Changed, Objects

NAME: Final = "cbctl-log"
_FENCE: Final = "cbctl/token"
_HOLDER: Final = "cbctl/holder"
_NOBODY: Final = "-"

Records = Mapping[int, str]
"""By their number in the stream, from 1."""


@dataclass(frozen=True)
class Log:
    """
    version  that the server has given it
    holder   who may add to it, under the token: a token alone may come back when the lock's record
             was removed by hand
    """

    version: str
    token: int
    holder: str
    streams: Mapping[str, Records]
    size: int

    def may_add(self, token: int, holder: str) -> bool:
        return (self.token, self.holder) == (token, holder)

    def after(self, version: str, stream: str, number: int, line: str) -> Log:
        """With one record more."""
        records = {**self.streams.get(stream, {}), number: line}
        streams = {**self.streams, stream: records}
        size = self.size + len(line.encode())
        return Log(version, self.token, self.holder, streams, size)


def holder(owner: Owner) -> str:
    return f"{owner.boot}/{owner.pid}/{owner.started}"


def read(objects: Objects) -> Log | None:
    found = objects.get(CONFIG_MAP, NAME)
    if found is None:
        return None
    metadata = found["metadata"]
    marks = metadata.get("annotations") or {}
    data: dict[str, str] = found.get("data") or {}
    streams: dict[str, dict[int, str]] = {}
    try:
        for key, line in data.items():
            name, _, number = key.rpartition(".")
            streams.setdefault(name.replace(".", "/", 1), {})[int(number)] = line
        token = int(marks[_FENCE])
    except (KeyError, ValueError):
        raise CbctlError(
            "holds something that cbctl did not write",
            exit=Exit.DIFFERS,
            where=f"{objects.where} ConfigMap {NAME}",
            fix="take out what was put in by hand: kubectl edit",
        ) from None
    size = sum(len(line.encode()) for line in data.values())
    return Log(metadata["resourceVersion"], token, marks.get(_HOLDER, _NOBODY), streams, size)


def add(objects: Objects, log: Log, stream: str, number: int, line: str) -> Log:
    """Raises Changed when the log is another one by now, which may mean that this was done."""
    key = f"{stream.replace('/', '.', 1)}.{number:06}"
    version = objects.add(NAME, log.version, {key: line})
    return log.after(version, stream, number, line)


def hand_over(objects: Objects, log: Log | None, token: int, holder: str = _NOBODY) -> bool:
    """Empties the log for a holder (or nobody); False when it changed since it was read.

    Its records must have been moved to their streams."""
    wanted: Object = {
        "metadata": {
            "name": NAME,
            "labels": LABELS,
            "annotations": {_FENCE: str(token), _HOLDER: holder},
        },
        "data": {},
    }
    try:
        if log is None:
            objects.create(CONFIG_MAP, wanted)
        else:
            objects.replace(CONFIG_MAP, log.version, wanted)
    except Changed:
        return False
    return True
