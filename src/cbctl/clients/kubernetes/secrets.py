"""Secrets of the namespace: what is there, who keeps them, how old it is; never what it says.

Source: External Secrets Operator, API external-secrets.io/v1 (ExternalSecret: `target`, `data`,
`refreshInterval`, the condition Ready, `status.refreshTime`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from cbctl.clients.kubernetes.api import MANAGER, Api, Object
from cbctl.clients.kubernetes.causes import condition
from cbctl.clients.kubernetes.failures import Refused

VERSION: Final = "external-secrets.io/v1"
KIND: Final = "ExternalSecret"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
OPERATOR: Final = "External Secrets"
ALL: Final = "*"
"""Instead of a key: whatever there is in it."""

_MANAGED: Final = "reconcile.external-secrets.io/managed"
_MANAGER: Final = "externalsecrets.external-secrets.io/"
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

State = Literal["present", "empty", "missing", "unknown"]


@dataclass(frozen=True)
class Asked:
    """What the operator of secrets is asked for.

    keys       that it brings; None: some that only it knows (all of an entry, a template)
    interval   after which it looks again; None: never
    refreshed  when it looked last; None: never yet
    """

    name: str
    keys: tuple[str, ...] | None
    ready: bool
    said: str
    interval: timedelta | None
    refreshed: datetime | None

    def stale(self, now: datetime) -> bool:
        """Whether it should have looked again since: a whole interval is let pass."""
        if self.interval is None or self.refreshed is None:
            return False
        return now - self.refreshed > 2 * self.interval


@dataclass(frozen=True)
class Kept:
    """
    there    None: not known, for we may not read it
    keys     by name, whether there is anything in it
    owner    who keeps it: OPERATOR, cbctl, or the manager of its data; "": nobody
    changed  when its data was changed last
    """

    name: str
    there: bool | None
    keys: Mapping[str, bool] = field(default_factory=dict)
    owner: str = ""
    changed: datetime | None = None
    asked: Asked | None = None

    def state(self, key: str) -> State:
        if self.there is None:
            known = self.asked is not None and self.asked.ready
            asked = self.asked
            brings = known and asked and (asked.keys is None or key == ALL or key in asked.keys)
            return "present" if brings else "unknown"
        if key == ALL and self.there:
            return "present" if any(self.keys.values()) else "empty"
        if key not in self.keys:
            return "missing"
        return "present" if self.keys[key] else "empty"


def asked(api: Api) -> list[Object]:
    """The ExternalSecrets; none where the operator is not installed."""
    return api.list(VERSION, KIND)


def look(api: Api, name: str, wanted: Iterable[Object]) -> Kept:
    """wanted: the ExternalSecrets. Raises what the cluster answers, but for a missing right."""
    of = next((_asked(one) for one in wanted if target(one) == name), None)
    try:
        found = api.get("v1", "Secret", name)
    except Refused as error:
        if error.status != 403:
            raise
        return Kept(name, None, owner=OPERATOR if of else "", asked=of)
    if found is None:
        return Kept(name, False, owner=OPERATOR if of else "", asked=of)
    data = found.get("data") or {}
    keys = {key: bool(base64.b64decode(value)) for key, value in data.items()}
    return Kept(name, True, keys, owner_of(found), _changed(found), of)


def owner_of(secret: Object) -> str:
    metadata = secret["metadata"]
    if any(one.get("kind") == KIND for one in metadata.get("ownerReferences") or ()):
        return OPERATOR
    if (metadata.get("labels") or {}).get(_MANAGED) == "true":  # Merge, Orphan: no owner
        return OPERATOR
    if (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER:
        return MANAGER
    for one in metadata.get("managedFields") or ():
        if "f:data" in one.get("fieldsV1", {}):
            manager = str(one.get("manager"))
            return OPERATOR if manager.startswith(_MANAGER) else manager
    return ""


def ours_beside(secret: Object, wanted: Iterable[str]) -> tuple[str, ...]:
    """Keys that cbctl wrote and that are not among `wanted`: the next write removes them."""
    from cbctl.clients.kubernetes.former import applied_by_us

    applied = applied_by_us(secret) or {}
    return tuple(sorted(set(applied.get("data") or {}) - set(wanted)))


def target(external: Object) -> str:
    """The Secret that an ExternalSecret makes."""
    own = external["metadata"]["name"]
    return str((external["spec"].get("target") or {}).get("name") or own)


def _asked(one: Object) -> Asked:
    spec, status = one["spec"], one.get("status") or {}
    ready = condition(one, "Ready") or {}
    template = (spec.get("target") or {}).get("template") or {}
    some = spec.get("dataFrom") or template.get("data") or template.get("templateFrom")
    again = spec.get("refreshPolicy", "Periodic") == "Periodic"
    keys = None if some else tuple(str(part["secretKey"]) for part in spec.get("data") or ())
    return Asked(
        one["metadata"]["name"],
        keys,
        ready.get("status") == "True",
        str(ready.get("message") or ready.get("reason") or "it says nothing of it"),
        _duration(str(spec.get("refreshInterval", "1h"))) if again else None,
        _time(status.get("refreshTime")),
    )


def _changed(secret: Object) -> datetime | None:
    times = [
        _time(one.get("time"))
        for one in secret["metadata"].get("managedFields") or ()
        if "f:data" in one.get("fieldsV1", {})
    ]
    known = [time for time in times if time is not None]
    return max(known, default=None) or _time(secret["metadata"].get("creationTimestamp"))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _duration(text: str) -> timedelta | None:
    """As Go writes it: 1h30m. None for 0, which means never."""
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return timedelta(seconds=seconds) if seconds else None
