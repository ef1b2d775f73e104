"""Rendered manifests: made by kubectl, completed with an image, checked before they are used."""

from __future__ import annotations

import copy
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from cbctl.clients.kubernetes.api import Object
from cbctl.errors import CbctlError, Exit

OWNER: Final = "cbctl/owner"
"""Label of what cbctl applied and may remove; its value says for which environment."""

RELEASE: Final = "cbctl/release"
"""Annotation of a Deployment, and by that of its ReplicaSets: hash of the manifests."""

FOUNDATION: Final = frozenset({"Namespace", "ResourceQuota", "Role", "RoleBinding"})
"""What an administrator gives an environment: who deploys has no right to it, and it is never
pruned."""

_RENDER_SECONDS = 60
_ORDER: Final = (
    *("Namespace", "ResourceQuota", "Role", "RoleBinding", "ServiceAccount"),
    *("SecretStore", "ExternalSecret", "ConfigMap", "NetworkPolicy", "Service"),
    *("PodDisruptionBudget", "Deployment", "HorizontalPodAutoscaler", "HTTPRoute", "Ingress"),
)


def render(folder: Path, kubectl: str = "kubectl") -> list[Object]:
    """What `kubectl apply -k FOLDER` would apply, in the order in which it must be."""
    program = shutil.which(kubectl)
    if program is None:
        raise CbctlError(
            "kubectl is not on PATH",
            exit=Exit.USAGE,
            fix="install kubectl 1.28 or newer: it renders the manifests",
        )
    if not folder.is_dir():
        raise CbctlError("there is no such folder", exit=Exit.USAGE, where=str(folder))
    try:
        done = subprocess.run(
            [program, "kustomize", str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RENDER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CbctlError(
            f"kubectl kustomize took longer than {_RENDER_SECONDS} s", where=str(folder)
        ) from None
    if done.returncode:
        why = done.stderr.strip().removeprefix("error: ")
        raise CbctlError(
            f"the manifests cannot be rendered: {why}", exit=Exit.USAGE, where=str(folder)
        )
    return parse(done.stdout, str(folder))


def parse(text: str, where: str) -> list[Object]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = [one for one in yaml.load_all(text, loader) if one is not None]
    except yaml.YAMLError as error:
        raise CbctlError(
            f"the manifests are no YAML: {error}", exit=Exit.USAGE, where=where
        ) from None
    for one in found:
        if not (isinstance(one, dict) and one.get("kind") and one.get("metadata", {}).get("name")):
            raise CbctlError(
                "something in the manifests is no object of Kubernetes",
                exit=Exit.USAGE,
                where=where,
            )
    return in_order(found)


def in_order(objects: Iterable[Object]) -> list[Object]:
    """As they must be applied: what others need comes first."""
    return sorted(objects, key=_order)


def title(thing: Object) -> str:
    return f"{thing['kind']} {thing['metadata']['name']}"


def in_namespace(objects: Iterable[Object], namespace: str, where: str) -> None:
    """Refuses manifests of another namespace: they are another environment's."""
    for one in objects:
        own = one["metadata"].get("namespace")
        if one["kind"] == "Namespace":
            own = one["metadata"]["name"]
        if own != namespace:
            raise CbctlError(
                f"{title(one)} is for the namespace {own or '(none)'}, the environment's is"
                f" {namespace}",
                exit=Exit.USAGE,
                where=where,
                fix="correct `namespace` in the overlay, or the one in cbctl.yaml",
            )


def deployment_of(objects: Iterable[Object], name: str = "") -> Object:
    """The Deployment of that name, or the only one."""
    found = [one for one in objects if one["kind"] == "Deployment"]
    chosen = [one for one in found if one["metadata"]["name"] == name] if name else found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(one["metadata"]["name"] for one in found) or "none"
    what = f"there is no Deployment {name}" if name else "one Deployment is needed"
    raise CbctlError(f"{what} in the manifests; they have: {names}", exit=Exit.USAGE)


def container_of(deployment: Object, name: str = "") -> Object:
    """The container of that name, or the only one."""
    found: list[Object] = deployment["spec"]["template"]["spec"]["containers"]
    chosen = [one for one in found if one["name"] == name] if name else found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(one["name"] for one in found)
    what = f"no container {name}" if name else "several containers"
    raise CbctlError(
        f"{title(deployment)} has {what}; it has: {names}",
        exit=Exit.USAGE,
        fix="name one of them",
    )


def with_image(
    objects: Sequence[Object], image: str, deployment: str = "", container: str = ""
) -> list[Object]:
    """The same, with an image in one container, and in those beside it that use the same one."""
    changed = copy.deepcopy(list(objects))
    target = deployment_of(changed, deployment)
    former = container_of(target, container)["image"]
    pod = target["spec"]["template"]["spec"]
    for one in (*pod["containers"], *pod.get("initContainers", ())):
        if one["image"] == former:
            one["image"] = image
    return changed


def owned(objects: Iterable[Object], owner: str) -> list[Object]:
    """The same, marked as ours but for what an administrator gave us."""
    changed = copy.deepcopy(list(objects))
    for one in changed:
        if one["kind"] not in FOUNDATION:
            one["metadata"].setdefault("labels", {})[OWNER] = owner
    return changed


def named(objects: Iterable[Object], hash: str, deployment: str) -> list[Object]:
    """The same, with the hash on the Deployment: what runs says by which manifests it does."""
    changed = copy.deepcopy(list(objects))
    annotate(deployment_of(changed, deployment)["metadata"], RELEASE, hash)
    return changed


def annotate(metadata: Object, name: str, value: str) -> None:
    metadata["annotations"] = {**(metadata.get("annotations") or {}), name: value}


def release_of(live: Object) -> str:
    """The hash of the manifests by which it runs; "" where it was not rolled out by cbctl."""
    return str((live["metadata"].get("annotations") or {}).get(RELEASE, ""))


def without_secrets(objects: Iterable[Object], where: str) -> None:
    """Refuses a Secret: rendered manifests are kept, shown and journalled."""
    for one in objects:
        if (one["apiVersion"], one["kind"]) == ("v1", "Secret"):
            raise CbctlError(
                f"{title(one)} is in the manifests, where everybody can read it",
                exit=Exit.USAGE,
                where=where,
                fix="keep it in the secrets' store, and name it by an ExternalSecret",
            )


def holds(live: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there already; more may be."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            name in live and holds(live[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(holds(one, other) for one, other in zip(live, wanted, strict=True))
        )
    return bool(live == wanted)


def _order(thing: Object) -> tuple[int, str, str]:
    kind = thing["kind"]
    place = _ORDER.index(kind) if kind in _ORDER else _ORDER.index("Deployment") - 1
    return place, kind, thing["metadata"]["name"]
