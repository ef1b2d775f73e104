"""A Solana cluster without an environment, for commands that work on the chain alone.

It is opened like an environment whose name begins with `cluster.`, which no environment's does:
`cbctl program show --cluster devnet`, and afterwards `cbctl runs list --env cluster.devnet`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from cbctl.clients.solana.clusters import MAINNET as MAINNET
from cbctl.clients.solana.clusters import PUBLIC
from cbctl.config.problem import near
from cbctl.config.settings import Settings
from cbctl.config.types import Api, Cache, Chain, Database, Environment, Migrations, Program
from cbctl.config.urls import is_loopback, is_url
from cbctl.errors import CbctlError, Exit

PREFIX = "cluster."
UNSET = Path()
"""In the place of files that nothing names."""
_LOCAL = "http://127.0.0.1:8899"


def is_cluster(name: str) -> bool:
    return name.startswith(PREFIX)


def environment_of(settings: Settings, cluster: str) -> Environment:
    """The environment that a cluster alone is, with the program that `defaults` describe.

    cluster  local, devnet, testnet, mainnet-beta, a name of `chains:`, or an RPC URL; after
             PREFIX also what stands there for a URL, which then is not known
    """
    name, chain = _chain(settings, cluster.removeprefix(PREFIX))
    program = settings.program or Program(name="program", elf=UNSET, idl=UNSET)
    # Parts that a cluster alone does not have; nothing that works on the chain looks at them.
    return Environment(
        name=f"{PREFIX}{name}",
        platform=settings.platform,
        folder=settings.folder,
        protected=chain.cluster == MAINNET,
        chain=chain,
        program=program,
        migrations=Migrations(folder=UNSET, schema=UNSET),
        database=Database(on="external"),
        cache=Cache(on="external"),
        api=Api(
            on="kubernetes",
            source=UNSET,
            module="-",
            port=1,
            health="/",
            ready="/",
            environment={},
        ),
    )


def _chain(settings: Settings, cluster: str) -> tuple[str, Chain]:
    if is_url(cluster, "http", "https"):
        return _of_url(cluster)
    if cluster in settings.chains:
        return cluster, settings.chains[cluster]
    if cluster == "local":
        return cluster, Chain(on="external", cluster="local", rpc=(_LOCAL,))
    if cluster in PUBLIC:
        url = f"https://api.{cluster}.solana.com"
        made = Chain(on="external", cluster=cluster, rpc=(url,), genesis_hash=PUBLIC[cluster])  # type: ignore[arg-type]
        return cluster, made
    if re.fullmatch(r"[A-Za-z0-9.-]+-[0-9]+", cluster):
        return cluster, Chain(on="external")
    known = ["local", *PUBLIC, *settings.chains]
    raise CbctlError(
        f"there is no cluster {cluster!r}{near(cluster, known)}",
        exit=Exit.USAGE,
        where="--cluster",
        fix=f"name one of {', '.join(known)}, or an RPC URL (http:// or https://)",
    )


def _of_url(url: str) -> tuple[str, Chain]:
    """Which cluster answers there decides how careful to be, so it is asked at once."""
    from urllib.parse import urlsplit

    from cbctl.clients.solana.rpc import Rpc

    node = Rpc(url, patience=3.0)
    try:
        genesis = node.genesis_hash()
    finally:
        node.close()
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    name = f"{re.sub('[^A-Za-z0-9.]', '-', parts.hostname or '')}-{port}"
    public = {hash: cluster for cluster, hash in PUBLIC.items()}
    kind = public.get(genesis) or ("local" if is_loopback(url) else "testnet")
    chain = Chain(on="external", rpc=(url,), genesis_hash=genesis)
    return name, msgspec.structs.replace(chain, cluster=kind)
