"""Which image a deploy is to run, where the service is on Kubernetes."""

from __future__ import annotations

from typing import Any

from cbctl.engine import release
from cbctl.errors import CbctlError, Exit
from cbctl.runbook import document
from cbctl.wiring.api import kubernetes_of
from cbctl.wiring.view import owner_of
from cbctl.wiring.workplace import Workplace

_GIVE = "say it: --image NAME@sha256:…, or --release RELEASE for the one of a release"


def inputs_of(work: Workplace, image: str | None, from_release: str | None) -> dict[str, Any]:
    """The runbook's input: as the command line or the runbook says it, else what runs now.
    Raises CbctlError (64) where none of them does, or two do."""
    if work.env.api.on != "kubernetes":
        if image is not None or from_release is not None:
            raise CbctlError(
                f"the service of {work.env.name} runs from its source, not from an image",
                exit=Exit.USAGE,
                where="--image" if image is not None else "--release",
                fix="leave it out",
            )
        return {}
    if image is not None and from_release is not None:
        raise CbctlError(
            "--image and --release name two images", exit=Exit.USAGE, fix="use one of them"
        )
    if from_release is not None:
        image = _of_release(work, from_release)
    if image is None:
        book = document.read(document.find("deploy", work.settings.runbooks))
        image = book.inputs.get("image")
    return {"image": image or _running(work)}


def _of_release(work: Workplace, id: str) -> str:
    found = release.find(release.history(work.store), id)
    if not (image := found.parts.get("image")):
        raise CbctlError(f"release {id} has no image", exit=Exit.USAGE, fix=_GIVE)
    return str(image)


def _running(work: Workplace) -> str:
    """Raises CbctlError (64) where nothing runs."""
    from cbctl.clients.kubernetes import live, manifests
    from cbctl.clients.kubernetes.api import Api

    cluster, settings = kubernetes_of(work.env)
    api = Api.connect(cluster.context, cluster.namespace)
    try:
        found = live.deployment(api, owner_of(work.env), settings.deployment or "")
    except CbctlError as error:
        if error.exit is not Exit.USAGE:
            raise
        raise CbctlError(
            "no image is named, and nothing runs there whose image could be kept",
            exit=Exit.USAGE,
            where=work.env.name,
            fix=_GIVE,
        ) from None
    finally:
        api.close()
    return str(manifests.container_of(found, settings.container or "")["image"])
