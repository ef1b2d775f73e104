"""Rendered manifests as they are kept: to go back to them needs no kubectl and no folder."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
from collections.abc import Sequence

from cbctl.clients.kubernetes.api import Object
from cbctl.errors import CbctlError, Exit


def sha256(objects: Sequence[Object]) -> str:
    return hashlib.sha256(_canonical(objects)).hexdigest()


def packed(objects: Sequence[Object]) -> str:
    """Small enough for a journal: the same objects always give the same text."""
    return base64.b64encode(gzip.compress(_canonical(objects), mtime=0)).decode()


def unpacked(text: str) -> list[Object]:
    try:
        found: list[Object] = json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, EOFError, ValueError):
        raise CbctlError("the manifests that were kept cannot be read", exit=Exit.DIFFERS) from None
    return found


def _canonical(objects: Sequence[Object]) -> bytes:
    return json.dumps(objects, sort_keys=True, separators=(",", ":")).encode()
