"""Pods roll when one of their Secrets changes: its checksum is an annotation of their template.

It is an HMAC whose key is random and kept in a Secret of the namespace: who may read Deployments
but no Secrets cannot try out values.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets as random
from typing import Final

from cbctl.clients.kubernetes import references
from cbctl.clients.kubernetes.api import Api, Object

ANNOTATION: Final = "cbctl/secrets"
KEY: Final = "cbctl-checksum"
"""Name of the Secret with the key."""


def key(api: Api) -> bytes | None:
    """None before it was made."""
    kept = api.get("v1", "Secret", KEY)
    return base64.b64decode(kept["data"]["key"]) if kept else None


def make_key(api: Api) -> bytes:
    """The key; of two who make it at the same time, both get the first one's."""
    if (there := key(api)) is not None:
        return there
    made = random.token_bytes(32)
    kept = api.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEY},
            "immutable": True,
            "data": {"key": base64.b64encode(made).decode()},
        }
    )
    return base64.b64decode(kept["data"]["key"])


def of(api: Api, template: Object, key: bytes) -> str:
    """Over the data of all Secrets of the template; one that is not there counts as such."""
    found = {}
    for name in sorted(references.secrets(template)):
        kept = api.get("v1", "Secret", name)
        found[name] = None if kept is None else kept.get("data", {})
    told = json.dumps(found, sort_keys=True).encode()
    return hmac.new(key, told, hashlib.sha256).hexdigest()
