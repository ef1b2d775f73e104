"""What the pods of a template take from Secrets and ConfigMaps, by name."""

from __future__ import annotations

from collections.abc import Iterator

from cbctl.clients.kubernetes.api import Object


def secrets(template: Object) -> set[str]:
    return set(_named(template, "secret", "secretName"))


def required_secrets(template: Object) -> set[str]:
    """Those without which no pod starts."""
    return set(_named(template, "secret", "secretName", required=True))


def secret_keys(template: Object) -> dict[str, set[str]]:
    """The keys without which no pod starts, by Secret: those that variables name."""
    found: dict[str, set[str]] = {}
    pod = template["spec"]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        for variable in container.get("env", ()):
            source = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if source and not source.get("optional"):
                found.setdefault(source["name"], set()).add(source["key"])
    return found


def config_maps(template: Object) -> set[str]:
    return set(_named(template, "configMap", "name"))


def _named(
    template: Object, kind: str, volume_name: str, *, required: bool = False
) -> Iterator[str]:
    """kind: `secret` or `configMap`, as volumes call it; variables say `secretKeyRef`

    required  without what may be absent"""
    for source, name in _sources(template, kind, volume_name):
        if not (required and source.get("optional")):
            yield source[name]


def _sources(template: Object, kind: str, volume_name: str) -> Iterator[tuple[Object, str]]:
    """Each with the field that has the name."""
    pod = template["spec"]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        for variable in container.get("env", ()):
            if source := variable.get("valueFrom", {}).get(f"{kind}KeyRef"):
                yield source, "name"
        for all_of in container.get("envFrom", ()):
            if source := all_of.get(f"{kind}Ref"):
                yield source, "name"
    for volume in pod.get("volumes", ()):
        if source := volume.get(kind):
            yield source, volume_name
        for part in volume.get("projected", {}).get("sources", ()):
            if source := part.get(kind):
                yield source, "name"
