"""The Secrets that the platform needs: whether they are there, fresh, and what the pods have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from cbctl.clients.kubernetes import checksum, live, references, secrets
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.failures import Refused
from cbctl.clients.kubernetes.secrets import Kept, State
from cbctl.errors import CbctlError

Needed = Mapping[str, Mapping[str, Sequence[str]]]
"""By Secret and key, what needs it."""


@dataclass(frozen=True)
class Row:
    """
    owner    who keeps the Secret
    changed  when its data was changed last; "": not known
    wrong    why this is not good; "": it is
    needed   by what
    """

    secret: str
    key: str
    state: State
    owner: str
    changed: str
    wrong: str
    needed: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """
    pods  "current": they run with what the Secrets have now; "old"; "unknown"
    """

    rows: tuple[Row, ...]
    pods: str

    @property
    def wrong(self) -> bool:
        return self.pods == "old" or any(row.wrong and row.state != "unknown" for row in self.rows)

    @property
    def unknown(self) -> bool:
        return any(row.state == "unknown" for row in self.rows)


def status(api: Api, needed: Needed, owner: str, deployment: str, now: datetime) -> Status:
    """Values are looked at by nobody here but for whether there are any."""
    running = _deployment(api, owner, deployment)
    wanted = _merged(needed, _of_pods(running))
    external = secrets.asked(api)
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda name: secrets.look(api, name, external), sorted(wanted)))
    rows = tuple(
        _row(one, key, tuple(by), now)
        for one in kept
        for key, by in sorted(wanted[one.name].items())
    )
    return Status(rows, _pods(api, running, kept))


def _row(kept: Kept, key: str, needed: tuple[str, ...], now: datetime) -> Row:
    state = kept.state(key)
    changed = kept.changed.isoformat() if kept.changed else ""
    return Row(kept.name, key, state, kept.owner, changed, _wrong(kept, key, state, now), needed)


def _wrong(kept: Kept, key: str, state: State, now: datetime) -> str:
    asked = kept.asked
    if asked is not None and not asked.ready:
        return f"{secrets.OPERATOR} cannot bring it: {asked.said}"
    if state == "missing" and kept.there is False:
        return "there is no such Secret"
    if state == "missing":
        return "the Secret has no such key"
    if state == "empty":
        return "there is nothing in it"
    if state == "unknown":
        return "we may not read it"
    if asked is not None and asked.stale(now):
        return f"not looked at again since {asked.refreshed:%Y-%m-%d %H:%M:%S} UTC"
    if asked is not None and kept.there and kept.owner != secrets.OPERATOR:
        return f"{secrets.OPERATOR} is asked for it, and {kept.owner or 'somebody else'} keeps it"
    return ""


def _deployment(api: Api, owner: str, name: str) -> Object | None:
    try:
        return live.deployment(api, owner, name)
    except CbctlError as error:
        if isinstance(error, Refused) and error.status == 403:
            raise
        return None  # nothing was rolled out yet


def _of_pods(deployment: Object | None) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    if deployment is None:
        return found
    pod = deployment["spec"]["template"]["spec"]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        for variable in container.get("env", ()):
            source = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if source and not source.get("optional"):
                by = f"{container['name']}: {variable['name']}"
                found.setdefault(source["name"], {}).setdefault(source["key"], []).append(by)
    for name in references.secrets(deployment["spec"]["template"]) - set(found):
        found[name] = {secrets.ALL: ["mounted, or all of its keys as variables"]}
    return found


def _merged(*parts: Needed) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for name, keys in part.items():
            for key, by in keys.items():
                found.setdefault(name, {}).setdefault(key, []).extend(by)
    return found


def _pods(api: Api, deployment: Object | None, kept: Sequence[Kept]) -> str:
    """Whether the pods run with the Secrets as they are now: their template says so, or each was
    started after the last change."""
    if deployment is None:
        return "unknown"
    template = deployment["spec"]["template"]
    said = (template["metadata"].get("annotations") or {}).get(checksum.ANNOTATION)
    try:
        key = checksum.key(api)
        if said is None or key is None:
            return "unknown"
        if checksum.of(api, template, key) == said:
            return "current"
    except Refused as error:
        if error.status != 403:
            raise
        return "unknown"
    changed = [one.changed for one in kept if one.name in references.secrets(template)]
    if not changed or None in changed:
        return "old"
    newest = max(time for time in changed if time is not None)
    started = [_started(pod) for pod in live.newest_pods(api, deployment)]
    return "current" if all(time and time > newest for time in started) else "old"


def _started(pod: Object) -> datetime | None:
    """When the first of its containers did; None: not yet."""
    states = [one.get("state", {}) for one in pod["status"].get("containerStatuses") or ()]
    times = [state.get("running", {}).get("startedAt") for state in states]
    known = [datetime.fromisoformat(time) for time in times if time]
    return min(known, default=None)
