"""Where journal, lock and releases of an environment live, and who is at work there.

In the environment's own namespace, where its service runs in Kubernetes; else in its state folder
on this machine.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.config.types import Environment
from cbctl.engine.store import Owner, Store
from cbctl.machine import owner, owner_state
from cbctl.secrets.reveal import HANDED
from cbctl.stores.files import FileStore

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api

MAIN = "main"
"""Of `clusters`, the one that the service runs in."""


def is_shared(env: Environment) -> bool:
    """Whether others, on other machines, work on the same journal."""
    return env.api.on == "kubernetes" and MAIN in env.clusters and not is_inside()


def is_inside() -> bool:
    """Whether this process is a Job that only looks: it is given no way to the journal."""
    return HANDED in os.environ


def place_of(env: Environment, folder: Path) -> str:
    """As a person reads it."""
    if not is_shared(env):
        return str(folder)
    cluster = env.clusters[MAIN]
    return f"{cluster.context}/{cluster.namespace}"


def opened(env: Environment, folder: Path) -> tuple[Store, Callable[[], Owner]]:
    """The store, and who is at work. Nothing is asked of a cluster before one of them is used."""
    if not is_shared(env):
        return FileStore(folder, owner_state), owner
    from cbctl.stores.cluster.objects import Objects
    from cbctl.stores.cluster.store import ClusterStore

    connect = functools.cache(lambda: _connected(env))
    identify = functools.cache(lambda: _person(connect()))
    return ClusterStore(Objects(connect), owner_state), identify


def tidy(store: Store) -> None:
    """Makes room in a shared store, where there are many old runs and this user may."""
    from cbctl.stores.cluster.store import ClusterStore

    if isinstance(store, ClusterStore):
        store.tidy()


def _connected(env: Environment) -> Api:
    from cbctl.clients.kubernetes.api import Api

    cluster = env.clusters[MAIN]
    api = Api.connect(cluster.context, cluster.namespace)
    api.require_uid(env.identity.namespace_uid or "")
    return api


def _person(api: Api) -> Owner:
    """Who the cluster says it is; whom the machine says beside it."""
    from cbctl.clients.kubernetes.person import user_name

    here = owner()
    return replace(here, who=user_name(api), host=f"{here.who}@{here.host}")
