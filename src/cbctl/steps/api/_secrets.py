"""Secrets of the pods: waited for, and their checksum in the pods' template."""

from __future__ import annotations

from typing import Any

from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api._target import Object
from cbctl.steps.api._wanted import Wanted

SECONDS = 60.0  # that an operator of secrets may take to make what is asked of it


def checked(api: Any, one: Object, wanted: Wanted, *, make: bool = False) -> Object:
    """The Deployment with the checksum of its Secrets; everything else as it is.

    make  the checksum's key, where there is none yet; without it there is no checksum either"""
    import copy

    from cbctl.clients.kubernetes import checksum, manifests, references

    if not wanted.is_of(one) or not references.secrets(one["spec"]["template"]):
        return one
    key = checksum.make_key(api) if make else checksum.key(api)
    if key is None:
        return one
    changed = copy.deepcopy(one)
    template = changed["spec"]["template"]
    said = checksum.of(api, template, key)
    manifests.annotate(template.setdefault("metadata", {}), checksum.ANNOTATION, said)
    return changed


def wait_for(ctx: Context, api: Any, wanted: Wanted, deployment: Object) -> None:
    """Until those Secrets are there that the manifests ask an operator for: the pods need them,
    and so does their checksum."""
    from cbctl.clients.kubernetes import references
    from cbctl.clients.kubernetes.causes import condition

    needed = references.secrets(deployment["spec"]["template"])
    until = ctx.monotonic() + SECONDS
    for one in wanted.objects:
        if one["kind"] != "ExternalSecret":
            continue
        own = one["metadata"]["name"]
        name = one["spec"].get("target", {}).get("name", own)
        while name in needed and api.get("v1", "Secret", name) is None:
            if ctx.monotonic() > until:
                asked = api.get(one["apiVersion"], "ExternalSecret", own) or {}
                said = (condition(asked, "Ready") or {}).get("message") or "it says nothing of it"
                raise CbctlError(
                    f"the operator of secrets has not made the Secret {name}: {said}",
                    where=f"{api.where} ExternalSecret {own}",
                    exit=Exit.TIMEOUT,
                )
            ctx.progress(f"waiting for the Secret {name}")
            ctx.sleep(0.5)
