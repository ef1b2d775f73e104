"""From what is there to what the manifests say, and back by removing what they no longer have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cbctl.clients.kubernetes.api import MANAGER, Api, Object
from cbctl.clients.kubernetes.failures import Refused
from cbctl.clients.kubernetes.manifests import FOUNDATION, OWNER, holds, title
from cbctl.errors import CbctlError, Exit

_PRUNED: Final = (
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("external-secrets.io/v1", "SecretStore"),
)
_SERVERS_OWN: Final = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Difference:
    """
    thing   "Deployment api"
    fields  paths of what would change, [] for a thing that is new
    refusal why the server would not take it, "" when it would
    """

    thing: str
    fields: tuple[str, ...] = ()
    new: bool = False
    refusal: str = ""


def differences(api: Api, objects: Iterable[Object]) -> list[Difference]:
    """What applying would change. The server itself says so, by a dry run."""
    found: list[Difference] = []
    ready = True  # without the namespace there is nothing to try in it
    for wanted in objects:
        live = api.get(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"])
        ready &= not (wanted["kind"] == "Namespace" and live is None)
        if wanted["kind"] in FOUNDATION and live is not None and holds(live, wanted):
            continue
        if not ready:
            found.append(Difference(title(wanted), new=True))
            continue
        try:
            after = api.apply(wanted, dry_run=True)
        except Refused as error:
            why = _why(error)
            if wanted["kind"] in FOUNDATION and error.exit is Exit.CREDENTIALS:
                why = "is not as in the manifests, and only an administrator may change it"
            found.append(Difference(title(wanted), new=live is None, refusal=why))
            continue
        if live is None:
            found.append(Difference(title(wanted), new=True))
        elif fields := tuple(_changed(_ours(live), _ours(after))):
            found.append(Difference(title(wanted), fields))
    return found


def apply(api: Api, wanted: Object) -> Object:
    """As the server has it afterwards. A conflict is shown, with its owner, and never forced."""
    if wanted["kind"] in FOUNDATION:
        live = api.get(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"])
        if live is not None and holds(live, wanted):
            return live
    try:
        return api.apply(wanted)
    except Refused as error:
        if not error.conflict:
            raise
        raise CbctlError(
            _why(error), exit=Exit.REFUSED, where=f"{api.where} {title(wanted)}", fix=CONFLICT_FIX
        ) from None


CONFLICT_FIX: Final = (
    "decide whose field it is: remove it from the manifests, or hand it over once with"
    f" kubectl apply --server-side --field-manager={MANAGER} --force-conflicts"
)


def stale(api: Api, objects: Sequence[Object], owner: str) -> list[Object]:
    """What carries our mark and is not in the manifests any more."""
    wanted = {(one["kind"], one["metadata"]["name"]) for one in objects}
    return [
        one
        for api_version, kind in _PRUNED
        for one in api.list(api_version, kind, labelSelector=f"{OWNER}={owner}")
        if (kind, one["metadata"]["name"]) not in wanted and _applied_by_us(one)
    ]


def remove(api: Api, thing: Object) -> None:
    uid = thing["metadata"]["uid"]
    api.delete(thing["apiVersion"], thing["kind"], thing["metadata"]["name"], uid)


def _applied_by_us(thing: Object) -> bool:
    """A label can be copied by anybody; that we applied it is what the server recorded."""
    return any(
        one.get("manager") == MANAGER and one.get("operation") == "Apply"
        for one in thing["metadata"].get("managedFields") or ()
    )


def _why(error: Refused) -> str:
    if error.conflict and error.causes:
        causes = [f"{one.get('field')} ({one.get('message')})" for one in error.causes]
        return f"another manager owns fields that the manifests set: {'; '.join(causes)}"
    return error.what


def _ours(thing: Object) -> Object:
    """Without what the server writes by itself."""
    metadata = {k: v for k, v in thing["metadata"].items() if k not in _SERVERS_OWN}
    return {**{k: v for k, v in thing.items() if k != "status"}, "metadata": metadata}


def _changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths of the values that differ; lists of named things by their names."""
    if isinstance(before, list) and isinstance(after, list):
        named = _by_name(before), _by_name(after)
        if named[0] is not None and named[1] is not None:
            before, after = named
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _changed(before.get(name), after.get(name), f"{path}.{name}".lstrip("."))
    elif before != after:
        yield path


def _by_name(values: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in values):
        return None
    named = {one["name"]: one for one in values}
    return named if len(named) == len(values) else None
