"""What we may do in a namespace: the server itself is asked, for many things at once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cbctl.clients.kubernetes.api import Api

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE = 8


@dataclass(frozen=True, order=True)
class Ask:
    """group: "" is the core one. resource: `pods`, `pods/log`. name: "" is any of them."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")


def denied(api: Api, asks: Iterable[Ask]) -> list[Ask]:
    """Those that the server would refuse."""
    wanted = sorted(set(asks))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda one: _allowed(api, one), wanted))
    return [one for one, allowed in zip(wanted, answers, strict=True) if not allowed]


def _allowed(api: Api, ask: Ask) -> bool:
    resource, _, below = ask.resource.partition("/")
    attributes = {
        "namespace": api.namespace,
        "verb": ask.verb,
        "group": ask.group,
        "resource": resource,
        "subresource": below,
        "name": ask.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = api.transport.call("POST", _PATH, None, review)
    return bool(answer["status"].get("allowed"))
