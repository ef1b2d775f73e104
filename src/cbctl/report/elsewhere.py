"""What runs where, of an environment that is not on this machine: each part asked, all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cbctl.config.types import Environment, Reference, Secret, host_only
from cbctl.engine.release import Release
from cbctl.errors import CbctlError
from cbctl.report.status import Part

if TYPE_CHECKING:
    from cbctl.clients.solana.rpc import Rpc

_SECONDS = 5.0
Reveal = Callable[[Reference], Secret]


def parts(env: Environment, owner: str, reveal: Reveal, current: Release | None) -> list[Part]:
    """Database, cache, chain, program and service. One that does not answer says why.

    owner  mark of what cbctl applied for this environment"""
    asks: dict[str, Callable[[], Part]] = {
        "postgres": lambda: _server("postgres", env.database, reveal, _postgres),
        "redis": lambda: _server("redis", env.cache, reveal, _redis),
        "chain": lambda: _chain(env, reveal),
        "program": lambda: _program(env, reveal, current),
        "api": lambda: _service(env, owner),
    }
    with ThreadPoolExecutor(len(asks)) as pool:
        found = {name: pool.submit(_said, name, ask) for name, ask in asks.items()}
        return [task.result() for task in found.values()]


def _said(name: str, ask: Callable[[], Part]) -> Part:
    try:
        return ask()
    except CbctlError as error:
        return Part(name, "unknown", "", "", error.what)


def _server(name: str, store: Any, reveal: Reveal, ask: Callable[[Secret], Part]) -> Part:
    if store.access == "in-cluster":
        return Part(name, "in-cluster", "", "", "reached only from inside its cluster")
    if store.url is None:
        return Part(name, "unknown", "", "", "cbctl.yaml has no url")
    return ask(reveal(store.url) if isinstance(store.url, Reference) else Secret(store.url))


def _postgres(url: Secret) -> Part:
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import ping

    address = parse(url)
    where = f"postgresql://{address.host}:{address.port}/{address.database}"
    return Part("postgres", "running", ping(address), where)


def _redis(url: Secret) -> Part:
    from cbctl.clients.redis import parse, ping

    address = parse(url)
    return Part("redis", "running", ping(address), address.shown)


def _chain(env: Environment, reveal: Reveal) -> Part:
    with _node(env, reveal) as (node, host):
        return Part("chain", "running", env.chain.cluster, host, f"slot {node.slot()}")


def _program(env: Environment, reveal: Reveal, current: Release | None) -> Part:
    from solders.pubkey import Pubkey

    if current is None:
        return Part("program", "unknown", "", "", "no release says which")
    id = str(current.parts.get("program_id") or "")
    with _node(env, reveal) as (node, _):
        there = node.account(Pubkey.from_string(id)) is not None
    if not there:
        return Part("program", "missing", "", id, "not on this chain")
    return Part("program", "deployed", str(current.parts.get("program_hash") or "")[:12], id)


@contextmanager
def _node(env: Environment, reveal: Reveal) -> Iterator[tuple[Rpc, str]]:
    """The first of the chain's nodes that answers, and the host of the first."""
    from cbctl.clients.solana.rpc import Rpc

    named = [reveal(one).reveal() if isinstance(one, Reference) else one for one in env.chain.rpc]
    urls = [url for url in named if url]
    if not urls:
        raise CbctlError("cbctl.yaml has no URL of it (chain.rpc)")
    node = Rpc(urls, patience=_SECONDS, sleep=time.sleep)
    try:
        yield node, host_only(urls[0])
    finally:
        node.close()


def _service(env: Environment, owner: str) -> Part:
    from cbctl.clients.kubernetes.api import Api
    from cbctl.report import deployment

    cluster, settings = env.clusters["main"], env.api.kubernetes
    api = Api.connect(cluster.context, cluster.namespace)
    try:
        found = deployment.status(api, owner, (settings.deployment if settings else None) or "")
    finally:
        api.close()
    images = ", ".join(one.rpartition("@sha256:")[2][:12] for one in found["images"].values())
    detail = f"{found['available']} of {found['wanted']} pods, revision {found['revision']}"
    state = "running" if found["state"] == "rolled out" else found["state"]
    return Part("api", state, images, f"{found['context']}/{found['namespace']}", detail)
