"""Who a target says it is: each system asked by itself, all at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api

CLUSTER = "cluster"
NAMESPACE = "namespace"
CHAIN = "chain"
ACCOUNT = "AWS account"
DATABASE = "database"
CACHE = "cache"
_PATIENCE = 5.0  # seconds

Where = Reference | str | None


class Placed(Protocol):
    """context: of the kubeconfig. namespace: the environment's own."""

    @property
    def context(self) -> str: ...

    @property
    def namespace(self) -> str: ...


class Inputs(Placed, Protocol):
    """
    platform, environment  whose marker database and cache must have
    rpc                    of the chain
    database, cache        URLs; none: there is none
    database_access, cache_access  in-cluster: not reached from here
    """

    @property
    def platform(self) -> str: ...

    @property
    def environment(self) -> str: ...

    @property
    def rpc(self) -> Reference | str | tuple[Reference | str, ...]: ...

    @property
    def database(self) -> Where: ...

    @property
    def database_access(self) -> str: ...

    @property
    def cache(self) -> Where: ...

    @property
    def cache_access(self) -> str: ...


@dataclass(frozen=True)
class Said:
    """
    state  there: `value` is who it is · empty: it has no marker and holds nothing · unmarked: no
           marker, but something else · unread: it did not say; `value` is why · elsewhere: it is
           reached only from inside its cluster
    """

    state: Literal["there", "empty", "unmarked", "unread", "elsewhere"]
    value: str = ""


def asked(ctx: Context, inputs: Inputs, *, account: bool) -> dict[str, Said]:
    """What each system says, by its name. account: AWS is asked too"""
    with ThreadPoolExecutor(6) as pool:
        tasks = {
            name: pool.submit(_said, work, ctx, inputs)
            for name, work in _systems(inputs, account).items()
        }
        return {name: task.result() for name, task in tasks.items()}


Work = Callable[[Context, Inputs], Said]


def _systems(inputs: Inputs, account: bool) -> Mapping[str, Work]:
    found: dict[str, Work] = {CLUSTER: _cluster, NAMESPACE: _namespace, CHAIN: _chain}
    if account:
        found[ACCOUNT] = _account
    if inputs.database is not None:
        found[DATABASE] = _database
    if inputs.cache is not None:
        found[CACHE] = _cache
    return found


def _said(work: Work, ctx: Context, inputs: Inputs) -> Said:
    try:
        return work(ctx, inputs)
    except CbctlError as error:
        if error.exit is Exit.USAGE:  # a URL that is none: no system is behind that
            raise
        return Said("unread", error.what)


def _cluster(ctx: Context, inputs: Inputs) -> Said:
    return _uid(ctx, inputs, "kube-system")


def _namespace(ctx: Context, inputs: Inputs) -> Said:
    return _uid(ctx, inputs, inputs.namespace)


def _uid(ctx: Context, inputs: Inputs, name: str) -> Said:
    api = connected(ctx, inputs)
    try:
        there = api.get("v1", "Namespace", name)
    finally:
        api.close()
    return Said("there", there["metadata"]["uid"]) if there else Said("unread", "it is not there")


def connected(ctx: Context, inputs: Placed) -> Api:
    from cbctl.clients.kubernetes.api import Api

    return Api.connect(inputs.context, inputs.namespace, patience=_PATIENCE, sleep=ctx.sleep)


def _chain(ctx: Context, inputs: Inputs) -> Said:
    from cbctl.clients.solana.rpc import Rpc

    listed = inputs.rpc if isinstance(inputs.rpc, tuple) else (inputs.rpc,)
    urls = [ctx.reveal(one).reveal() if isinstance(one, Reference) else one for one in listed]
    node = Rpc(list(filter(None, urls)) or "", patience=_PATIENCE, sleep=ctx.sleep)
    try:
        return Said("there", node.genesis_hash())
    finally:
        node.close()


def _account(ctx: Context, inputs: Inputs) -> Said:
    from cbctl.clients.aws.account import account_id

    return Said("there", account_id())


def _database(ctx: Context, inputs: Inputs) -> Said:
    if inputs.database_access != "direct":
        return Said("elsewhere")
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import connect
    from cbctl.clients.postgres.ledger import survey

    address = parse(revealed(ctx, inputs.database), where="database.url")
    with connect(address) as connection:
        found = survey(connection, address)
    if found.marker is not None:
        return Said("there", str(found.marker))
    return Said("empty" if found.empty else "unmarked")


def _cache(ctx: Context, inputs: Inputs) -> Said:
    if inputs.cache_access != "direct":
        return Said("elsewhere")
    from cbctl.clients import redis

    with redis.connect(revealed(ctx, inputs.cache), where="cache.url") as connection:
        marker = connection.read_marker()
        if marker is not None:
            return Said("there", marker)
        return Said("empty" if connection.empty() else "unmarked")


def revealed(ctx: Context, url: Where) -> str:
    return ctx.reveal(url).reveal() if isinstance(url, Reference) else url or ""


def write_cache_marker(ctx: Context, inputs: Inputs) -> None:
    from cbctl.clients import redis

    with redis.connect(revealed(ctx, inputs.cache), where="cache.url") as connection:
        ctx.fence()
        connection.write_marker(inputs.platform, inputs.environment)
