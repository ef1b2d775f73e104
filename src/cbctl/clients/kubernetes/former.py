"""What we applied before, read back from what the server records of it.

The server keeps, for each manager, which fields it applied. From these and the object as it is now
comes the very configuration that was applied: to go back to it, nothing else need be kept.
"""

from __future__ import annotations

import json
from typing import Any

from cbctl.clients.kubernetes.api import MANAGER, Object


def applied_by_us(live: Object) -> Object | None:
    """The configuration that we applied last; None where we never did."""
    for entry in live["metadata"].get("managedFields") or ():
        ours = entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        if ours and "subresource" not in entry:
            found = _picked(live, entry["fieldsV1"])
            name = {"name": live["metadata"]["name"]}
            if space := live["metadata"].get("namespace"):
                name["namespace"] = space
            metadata = name | found.get("metadata", {})
            kind = {"apiVersion": live["apiVersion"], "kind": live["kind"]}
            return {**kind, **found, "metadata": metadata}
    return None


def _picked(value: Any, fields: dict[str, Any]) -> Any:
    """The part of a value that the fields name: `f:` members, `k:` items by their keys, `v:` items
    by themselves; without any, all of it."""
    inner = {name: below for name, below in fields.items() if name != "."}
    if isinstance(value, dict) and (inner or "." in fields):
        members = {name[2:]: below for name, below in inner.items()}
        return {
            name: _picked(value[name], below) for name, below in members.items() if name in value
        }
    if isinstance(value, list) and inner:
        return [found for name, below in inner.items() for found in _items(value, name, below)]
    return value


def _items(values: list[Any], name: str, below: dict[str, Any]) -> list[Any]:
    wanted = json.loads(name[2:])
    if name.startswith("v:"):
        return [one for one in values if one == wanted]
    chosen = [one for one in values if all(one.get(k) == v for k, v in wanted.items())]
    return [_picked(one, below) for one in chosen]
