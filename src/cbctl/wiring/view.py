"""What `env` means in a runbook: the settings of an environment, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cbctl.config.images import API
from cbctl.config.rules import leaves
from cbctl.config.types import Call, Environment, Image, Kubernetes, Reference, expanded
from cbctl.secrets.keys import KEYPAIR
from cbctl.wiring.clusters import MAINNET, UNSET
from cbctl.wiring.workplace import Workplace

LOCAL_AIRDROP = 100_000_000_000
"""Lamports that a wallet is given on this machine, where they are worth nothing."""


def view_of(work: Workplace) -> dict[str, Any]:
    """By name: structs of the settings, and mappings where something is derived.

    database.step, chain.step  ids of the steps that bring them up, "" where none does
    """
    env = work.env
    view = {name: getattr(env, name) for name in env.__struct_fields__}
    view["state"] = str(work.state.path)
    view["owner"] = owner_of(env)
    view["who"], view["host"] = work.world.owner.who, work.world.owner.host
    view["program"] = {
        **_fields(env.program),
        "elf": named_file(env.program.elf),
        "idl": named_file(env.program.idl),
        "keypair": keypair_of(env.program.keypair),
        "wallet": keypair_of(env.program.wallet),
        "pause": _call(env.program.pause),
        "unpause": _call(env.program.unpause),
        "toolchain": env.program.toolchain and _fields(env.program.toolchain),
    }
    view["database"] = {
        **_fields(env.database),
        "connection": _connection(env.database.on, env.database.url, "database-url"),
        "step": "postgres" if env.database.on == "local" else "",
        "backups": {
            **_fields(env.database.backups),
            "place": backups_of(work),
            "configured": env.database.backups.to is not None,
        },
    }
    view["cache"] = {
        **_fields(env.cache),
        "connection": _connection(env.cache.on, env.cache.url, "redis-url"),
    }
    view["api"] = {**_fields(env.api), "kubernetes": _kubernetes(env.api.kubernetes)}
    view["chain"] = {
        **_fields(env.chain),
        "step": "localnet" if env.chain.on == "local" else "",
        "airdrop": LOCAL_AIRDROP if env.chain.on == "local" else 0,
        "mint": env.chain.mint
        and {**_fields(env.chain.mint), "keypair": keypair_of(env.chain.mint.keypair)},
    }
    view["images"] = {name: image_of(work, image) for name, image in env.images.items()}
    view["api_image"] = view["images"].get(API) or {"repository": None, "registry": None}
    signed = env.policy.signed
    view["policy"] = {
        **_fields(env.policy),
        "signed": _fields(signed) if signed else {"key": None, "provenance": None},
    }
    view["keypairs"] = sorted({r.name for r in references(env) if r.kind == "key"})
    view["is_local"] = env.is_local
    view["is_protected"] = env.protected or env.chain.cluster == MAINNET
    return view


def image_of(work: Workplace, image: Image) -> dict[str, Any]:
    """With the values of its references, which are no secrets; None for one that has none: an
    argument that may be absent is left out then."""

    def value(setting: str | Reference) -> str | None:
        if isinstance(setting, str):
            return setting
        found = work.values.find(replace(setting, optional=True))
        return found.reveal().strip() if found else None

    arguments = {name: (value(one), one) for name, one in image.arguments.items()}
    return {
        **_fields(image),
        "repository": value(image.repository),
        "arguments": {
            name: found
            for name, (found, one) in arguments.items()
            if found is not None or not (isinstance(one, Reference) and one.optional)
        },
    }


def named_file(path: Path) -> Path | None:
    """None where a cluster alone is worked on and nothing names the file."""
    return None if path == UNSET else path


def owner_of(env: Environment) -> str:
    """The label of what is the environment's own on a cluster."""
    return f"{env.platform}.{env.name}"


def _kubernetes(settings: Kubernetes | None) -> dict[str, Any] | None:
    if settings is None:
        return None
    bears = settings.connections and _fields(settings.connections)
    return {**_fields(settings), "connections": bears or {"pool": None, "database": None}}


def _call(call: Call | None) -> dict[str, Any] | None:
    return None if call is None else {**_fields(call), "wallet": keypair_of(call.wallet)}


def keypair_of(reference: Reference | None) -> Reference | None:
    """`${key:NAME}` where a keypair is wanted: the file that the step `local.keys` writes."""
    if reference is None or reference.kind != "key":
        return reference
    return Reference(
        "state", KEYPAIR + reference.name, where=reference.where, setting=reference.setting
    )


def program_address(work: Workplace) -> str | None:
    """The program's address: what `program.id` says, else the public key of its keypair."""
    program = work.env.program
    if (id := work.values.find(program.id)) is not None:
        return id.reveal().strip()
    pair = program.keypair
    if pair is None:
        return None
    if pair.kind == "key":
        return work.keys.address(pair.name) if work.keys.has(pair.name) else None
    from cbctl.clients.solana.keypair import parse

    return str(parse(work.world.reveal(pair).reveal(), pair.text).pubkey())


def _connection(on: str, url: Any, secret: str) -> Any:
    """What steps connect with; a local part's URL is the one that its step wrote."""
    return Reference("state", secret) if on == "local" else url


def superuser_of(work: Workplace) -> Reference | None:
    """The password of the superuser of a Postgres that cbctl itself runs."""
    from cbctl.local.postgres import SUPERUSER_PASSWORD

    ours = work.env.database.on == "local" and work.values.find(work.env.database.url) is None
    return Reference("state", SUPERUSER_PASSWORD) if ours else None


def backups_of(work: Workplace) -> str:
    """Where the backups of the environment's database are kept."""
    env, to = work.env, work.env.database.backups.to
    if to is None:
        return str(work.state.path / "database-backups")
    from cbctl.clients.backups.place import S3

    if to.startswith(S3):
        return f"{to.rstrip('/')}/{env.platform}/{env.name}"
    return str(env.folder / expanded(to) / env.platform / env.name)


def references(env: Environment) -> list[Reference]:
    """Every reference in the settings, however deep."""
    return [value for _, value in leaves(env) if isinstance(value, Reference)]


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
