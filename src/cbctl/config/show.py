"""An environment as plain data: what is shown, and what is hashed. Neither holds a secret."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from cbctl.config.reference import Reference, Secret, host_only
from cbctl.config.settings import Environment


def canonical(env: Environment) -> dict[str, Any]:
    """The settings as JSON data, the same on every machine: references as text, paths relative
    to the configuration's folder, URLs without what may be a key (a fingerprint keeps a changed
    one visible)."""
    folder = env.folder
    data: dict[str, Any] = _plain(env, folder)
    del data["folder"]
    data["chain"]["rpc"] = [
        str(url) if isinstance(url, Reference) else _url(url) for url in env.chain.rpc
    ]
    for name, part in (("database", env.database), ("cache", env.cache)):
        if isinstance(part.url, str):
            data[name]["url"] = _url(part.url)
    return data


def show(env: Environment) -> dict[str, Any]:
    """What `cbctl config show` prints: like `canonical`, without what is not set."""
    shown: dict[str, Any] = _without_unset(canonical(env))
    return shown


def _plain(value: Any, folder: Path) -> Any:
    if isinstance(value, Reference | Secret):
        return str(value)
    if isinstance(value, Path):
        relative = value.is_relative_to(folder)
        return (value.relative_to(folder) if relative else value).as_posix()
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name), folder) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(name): _plain(item, folder) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, folder) for item in value]
    if isinstance(value, str) and "://" in value:
        return _url(value)
    return value


def _url(url: str) -> str:
    seen = host_only(url)
    if url in (seen, f"{seen}/"):
        return url
    return f"{seen}/… ({hashlib.sha256(url.encode()).hexdigest()[:12]})"


def _without_unset(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_unset(item) for name, item in value.items() if item is not None}
        return {name: item for name, item in kept.items() if item not in ({}, [])}
    return value
