"""Collections of objects, followed for as long as somebody looks.

The API server ends every watch after a while, forgets old versions (410) and restarts. Each of
these is met by going on from the last version seen, or by listing again; whoever looks sees
objects as they are now, and misses only states that were over before they could be read.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.failures import Refused, Unreachable
from cbctl.clients.kubernetes.transport import Query, Stream
from cbctl.errors import CbctlError

SERVER_ENDS = 240  # seconds after which we ask the server to end a watch
SILENCE = 90.0  # seconds without a byte (bookmarks come every minute): the connection is broken
ENDS = 2.0  # seconds that a stream may take to end; one that is connecting is left to it
PAUSE = 0.25  # seconds between two tries


@dataclass(frozen=True)
class Collection:
    api_version: str
    kind: str
    selectors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listed:
    """All there is, now; what was known before and is not here is gone."""

    collection: Collection
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class Changed:
    collection: Collection
    what: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object


@dataclass(frozen=True)
class Lost:
    """No connection at the moment; it is tried again."""

    collection: Collection
    why: str


Seen = Listed | Changed | Lost


class Watch:
    """Follows several collections at once; a context manager."""

    def __init__(self, api: Api, collections: tuple[Collection, ...]) -> None:
        self._seen: queue.SimpleQueue[Seen | CbctlError] = queue.SimpleQueue()
        self._over = threading.Event()
        self._streams = [_Stream(api, one, self._seen, self._over) for one in collections]

    def __enter__(self) -> Watch:
        for stream in self._streams:
            stream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for stream in self._streams:
            stream.cut()
        for stream in self._streams:
            stream.join(ENDS)

    def next(self, seconds: float) -> Seen | None:
        """What is seen next; None when nothing was in that time.

        Raises what makes following on pointless: no permission, or a cluster without that kind.
        """
        try:
            seen = self._seen.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(seen, CbctlError):
            raise seen
        return seen


class _Stream(threading.Thread):
    def __init__(
        self,
        api: Api,
        collection: Collection,
        seen: queue.SimpleQueue[Seen | CbctlError],
        over: threading.Event,
    ) -> None:
        super().__init__(name=f"watch-{collection.kind}", daemon=True)
        self._api, self._collection, self._out, self._over = api, collection, seen, over
        self._selectors: Mapping[str, str] = dict(collection.selectors)
        self._stream: Stream | None = None

    def cut(self) -> None:
        if self._stream is not None:
            self._stream.cut()

    def run(self) -> None:
        version = ""
        while not self._over.is_set():
            try:
                version = version or self._list()
                version = self._follow(version)
            except Unreachable as error:
                self._out.put(Lost(self._collection, error.what))
                self._over.wait(max(PAUSE, error.retry_after))
            except Refused as error:
                if not error.too_old:
                    self._out.put(error)
                    return
                version = ""
            except CbctlError as error:
                self._out.put(error)
                return

    def _list(self) -> str:
        path = self._api.path(self._collection.api_version, self._collection.kind)
        listed = self._api.transport.call("GET", path, self._selectors)
        self._out.put(Listed(self._collection, tuple(listed["items"])))
        return str(listed["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        """The version to go on from; "" to list again."""
        path = self._api.path(self._collection.api_version, self._collection.kind)
        query: Query = {
            **self._selectors,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": SERVER_ENDS,
        }
        self._stream = stream = self._api.transport.stream(path, query, SILENCE)
        try:
            if self._over.is_set():
                return version
            for line in stream.lines():
                event = json.loads(line)
                found = event["object"]
                if event["type"] == "ERROR":
                    if found.get("code") == 410:
                        return ""
                    raise Unreachable(str(found.get("message")), where=self._api.where)
                version = found["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._out.put(Changed(self._collection, event["type"], found))
        except (Unreachable, ValueError):
            # A line cut short, or a broken connection: the version is still good.
            self._over.wait(PAUSE)
        finally:
            stream.close()
        return version
