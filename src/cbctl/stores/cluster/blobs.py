"""Anything large, by its sha256: gzipped, in as many ConfigMaps as it takes, never changed."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import zlib
from typing import Final

from cbctl.clients.kubernetes.api import Object
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster.objects import CONFIG_MAP, LABELS, Changed, Objects

_LARGEST: Final = 512 << 10  # bytes of one object
_PARTS: Final = "cbctl/parts"
_KEY: Final = "part.gz"


def put(objects: Objects, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    with contextlib.suppress(CbctlError):
        if get(objects, sha256) == data:
            return sha256
    packed = gzip.compress(data, mtime=0)
    pieces = [packed[at : at + _LARGEST] for at in range(0, len(packed), _LARGEST)]
    for number in reversed(range(len(pieces))):  # the first one, last: it says that all are there
        wanted = {
            "metadata": {
                "name": _name(sha256, number),
                "labels": {**LABELS, "cbctl/records": "blob"},
                "annotations": {_PARTS: str(len(pieces))},
            },
            "immutable": True,
            "binaryData": {_KEY: base64.b64encode(pieces[number]).decode()},
        }
        _put(objects, wanted)
    return sha256


def get(objects: Objects, sha256: str) -> bytes:
    first = _part(objects, sha256, 0)
    try:
        count = int(first["metadata"]["annotations"][_PARTS])
        parts = [first, *(_part(objects, sha256, number) for number in range(1, count))]
        packed = b"".join(base64.b64decode(part["binaryData"][_KEY]) for part in parts)
        data = gzip.decompress(packed)
    except (KeyError, ValueError, OSError, EOFError, zlib.error):
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CbctlError(
            f"blob {sha256} was changed after it was written",
            exit=Exit.DIFFERS,
            where=objects.where,
        )
    return data


def _put(objects: Objects, wanted: Object) -> None:
    """What is there under this name and is not the same was changed by hand: it is put right."""
    name = wanted["metadata"]["name"]
    while True:
        try:
            objects.create(CONFIG_MAP, wanted)
            return
        except Changed:
            there = objects.get(CONFIG_MAP, name)
            if there and there.get("binaryData") == wanted["binaryData"]:
                return
            objects.delete(name)


def _part(objects: Objects, sha256: str, number: int) -> Object:
    found = objects.get(CONFIG_MAP, _name(sha256, number))
    if found is None:
        raise CbctlError(f"blob {sha256} is not in the store", where=objects.where)
    return found


def _name(sha256: str, number: int) -> str:
    return f"cbctl-blob-{sha256}-{number:03}"
