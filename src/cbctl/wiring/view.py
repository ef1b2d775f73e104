"""What `env` means in a runbook: the settings of an environment, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cbctl.config.types import Reference
from cbctl.secrets.keys import KEYPAIR
from cbctl.wiring.workplace import Workplace


def view_of(work: Workplace) -> dict[str, Any]:
    """By name: structs of the settings, and mappings where something is derived."""
    env = work.env
    view = {name: getattr(env, name) for name in env.__struct_fields__}
    view["state"] = str(work.state.path)
    view["program"] = {
        **_fields(env.program),
        "keypair": _keypair(env.program.keypair),
        "wallet": _keypair(env.program.wallet),
    }
    view["database"] = {
        **_fields(env.database),
        "connection": _connection(env.database.on, env.database.url, "database-url"),
    }
    view["cache"] = {
        **_fields(env.cache),
        "connection": _connection(env.cache.on, env.cache.url, "redis-url"),
    }
    view["chain"] = {**_fields(env.chain), "url": env.chain.rpc[0] if env.chain.rpc else None}
    named = list(references(env))
    view["keypairs"] = sorted({r.name for r in named if r.kind == "key"})
    view["is_local"] = env.is_local
    return view


def _keypair(reference: Reference | None) -> Reference | None:
    """`${key:NAME}` where a keypair is wanted: the file that the step `local.keys` writes."""
    if reference is None or reference.kind != "key":
        return reference
    return Reference(
        "state", KEYPAIR + reference.name, where=reference.where, setting=reference.setting
    )


def _connection(on: str, url: Any, secret: str) -> Any:
    """What steps connect with; a local part's URL is the one that its step wrote."""
    return Reference("state", secret) if on == "local" else url


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a setting, however deep."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)
    elif hasattr(value, "__struct_fields__"):
        for name in value.__struct_fields__:
            yield from references(getattr(value, name))


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
