"""The service of an environment on Kubernetes, opened for commands that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbctl.config.types import Cluster, Environment, Kubernetes
from cbctl.errors import CbctlError, Exit
from cbctl.wiring.stores import MAIN
from cbctl.wiring.view import owner_of
from cbctl.wiring.workplace import Workplace, environment_named, open_workplace

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api


@dataclass(frozen=True)
class Opened:
    work: Workplace
    api: Api
    settings: Kubernetes

    @property
    def _named(self) -> tuple[Api, str, str]:
        return self.api, owner_of(self.work.env), self.settings.deployment or ""

    def status(self) -> dict[str, Any]:
        from cbctl.report import deployment

        return deployment.status(*self._named)

    def history(self) -> list[dict[str, Any]]:
        from cbctl.report import deployment
        from cbctl.report.rollouts import rollouts

        return deployment.history(*self._named, rollouts(self.work.store))

    def logs(self, lines: int, *, follow: bool, previous: bool) -> Iterator[tuple[str, str]]:
        from cbctl.report import deployment

        container = self.settings.container or ""
        if follow:
            return deployment.follow(*self._named, container, lines)
        return deployment.logs(*self._named, container, lines, previous=previous)

    def running(self) -> str:
        """The release that runs; "" when something was changed since, or nothing is there."""
        from cbctl.report import deployment
        from cbctl.report.rollouts import rollouts

        return deployment.unchanged(*self._named, rollouts(self.work.store))


@contextmanager
def opened(config: str | None, env: str | None) -> Iterator[Opened]:
    from cbctl.clients.kubernetes.api import Api

    cluster, settings = require_kubernetes(config, env)
    work = open_workplace(config, env, create=True, chain=True)
    api = Api.connect(cluster.context, cluster.namespace)
    try:
        api.require_uid(work.env.identity.namespace_uid or "")
        yield Opened(work, api, settings)
    finally:
        api.close()


def require_kubernetes(config: str | None, env: str | None) -> tuple[Cluster, Kubernetes]:
    """Where the service runs, and how. Raises CbctlError (64) where it is not on Kubernetes."""
    return kubernetes_of(environment_named(config, env))


def kubernetes_of(named: Environment) -> tuple[Cluster, Kubernetes]:
    """The same, of an environment that is open already."""
    if named.api.on != "kubernetes":
        raise CbctlError(
            f"the service of {named.name} is no Deployment: `api.on` is {named.api.on}",
            exit=Exit.USAGE,
            where=named.name,
            fix="name an environment whose service is on Kubernetes: --env ENV",
        )
    missing = [
        setting
        for setting, there in (
            (f"clusters.{MAIN}", MAIN in named.clusters),
            ("api.kubernetes", named.api.kubernetes is not None),
        )
        if not there
    ]
    if missing or named.api.kubernetes is None:
        raise CbctlError(
            f"cbctl.yaml does not say where the service runs: {' and '.join(missing)} missing",
            exit=Exit.USAGE,
            where=named.name,
            fix="cbctl config schema describes them",
        )
    return named.clusters[MAIN], named.api.kubernetes


def kept_manifests(config: str | None, env: str | None, to: str | None) -> str:
    """Manifests to go back to. Raises CbctlError (7) when none are kept."""
    from cbctl.report.rollouts import named, rollouts, way_back

    with opened(config, env) as there:
        known = rollouts(there.work.store)
        found = named(known, to) if to else way_back(known, there.running())
    if found is None:
        known_ones = ", ".join(str(one.revision) for one in known if one.state == "healthy")
        raise CbctlError(
            f"no healthy rollout {to} is recorded" if to else "no healthy rollout is recorded",
            exit=Exit.REFUSED,
            where=there.work.env.name,
            fix=f"recorded revisions: {known_ones or 'none'}; cbctl api history shows them",
        )
    return found.manifests
