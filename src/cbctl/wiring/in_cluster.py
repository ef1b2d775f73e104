"""Which steps are carried out inside the cluster, and where."""

from __future__ import annotations

from typing import Any

from cbctl.config.types import Environment, Reference
from cbctl.engine.policy import is_digest
from cbctl.engine.step import Step
from cbctl.errors import CbctlError, Exit
from cbctl.runbook import catalogue
from cbctl.steps.in_cluster.step import InCluster, Place
from cbctl.wiring.stores import MAIN
from cbctl.wiring.workplace import Workplace

_SAFEGUARD = "db.safeguard"


def step_for(work: Workplace, name: str) -> Step[Any, Any, Any]:
    """The step of that name: as it is, or carried out by Jobs where only they reach its system."""
    step = catalogue.step(name)
    subject = name.partition(".")[0]
    part = {"db": work.env.database, "cache": work.env.cache}.get(subject)
    if part is None or part.access != "in-cluster":
        return step
    backups = work.env.database.backups
    if name == _SAFEGUARD and not (backups.to and backups.before_migrations):
        return step  # says by the settings alone that none is taken
    return InCluster(step, name, place_of(work))


def place_of(work: Workplace) -> Place:
    """Raises CbctlError (64) when cbctl.yaml does not say where and as what."""
    env = work.env
    if MAIN not in env.clusters:
        raise _unset(env, f"clusters.{MAIN}", "it names the context and the namespace")
    main = env.clusters[MAIN]
    return Place(
        context=main.context,
        namespace=main.namespace,
        namespace_uid=env.identity.namespace_uid or "",
        image=_image(work),
        service_account=env.jobs.service_account,
        seconds=env.jobs.seconds,
        disk=env.jobs.disk,
        variables_from=env.jobs.variables_from or "",
    )


def _image(work: Workplace) -> str:
    image = work.env.jobs.image
    if isinstance(image, Reference):
        found = work.values.find(image)
        image = found.reveal().strip() if found else None
    hint = "the image of this cbctl: name@sha256:…"
    if not image:
        raise _unset(work.env, "jobs.image", hint)
    if not is_digest(image):
        raise CbctlError(
            f"jobs.image is not named by digest: {image}",
            exit=Exit.USAGE,
            where=work.env.name,
            fix=hint,
        )
    return image


def _unset(env: Environment, setting: str, what: str) -> CbctlError:
    return CbctlError(
        f"a part of this environment is reached only from inside its cluster (access: in-cluster),"
        f" and {setting} is not set",
        exit=Exit.USAGE,
        where=env.name,
        fix=f"set it in cbctl.yaml: {what}",
    )
