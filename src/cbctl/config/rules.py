"""What the settings of one environment must agree on, beyond the type of each.

Pure: looks at no file, no variable and no network, so it holds for every environment of the
file, not only for the one in use.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cbctl.config.problem import Problem
from cbctl.config.read import Marks
from cbctl.config.reference import Reference
from cbctl.config.settings import Environment
from cbctl.config.urls import has_password, is_loopback, is_url


def check(env: Environment, file: str, marks: Marks) -> list[Problem]:
    """Problems of `env`, each at the setting that has to change."""
    found = [
        *_chain(env),
        *_program(env),
        *_stores(env),
        *_api(env),
        *_policy(env),
        *_references(env),
        *_literals(env),
    ]
    return [locate(env, setting, message, file, marks) for setting, message in found]


def locate(env: Environment, setting: str, message: str, file: str, marks: Marks) -> Problem:
    """The problem at `setting` of `env`, or at the nearest section that is written down."""
    path = f"environments.{env.name}.{setting}"
    key = path
    while path not in marks and "." in path:
        path = path.rpartition(".")[0]
    line, column, shown = marks.get(path, (0, 0, path))
    return Problem(file, line, column, shown + key[len(path) :], message)


Found = Iterator[tuple[str, str]]


def _chain(env: Environment) -> Found:
    chain = env.chain
    if chain.on == "local":
        if chain.cluster != "local":
            yield "chain.cluster", f"`on: local` is no {chain.cluster}; leave `cluster` out"
        if env.api.on == "local" and env.api.port in (chain.port, chain.port + 1):
            yield "api.port", f"the localnet uses {chain.port} and {chain.port + 1}"
    else:
        if not chain.rpc:
            yield "chain.rpc", "`on: external` needs at least one RPC URL"
        if chain.mint is not None:
            yield "chain.mint", "`on: external` has tokens of its own; only a localnet gets one"
    for index, url in enumerate(chain.rpc):
        if isinstance(url, Reference):
            continue
        if not is_url(url, "http", "https"):
            yield f"chain.rpc.{index}", "expected an http:// or https:// URL or a reference"
        elif chain.cluster == "local" and not is_loopback(url):
            yield f"chain.rpc.{index}", "a local chain is on this machine: expected 127.0.0.1"


def _program(env: Environment) -> Found:
    if env.program.wallet is None:
        yield "program.wallet", "`wallet` is missing: the keypair that pays"
    if env.program.multisig is not None and env.program.authority is None:
        yield "program.authority", "which vault of the multisig? `authority` is missing"


def _stores(env: Environment) -> Found:
    for name, part in (("database", env.database), ("cache", env.cache)):
        if part.on == "local":
            if part.access != "direct":
                yield f"{name}.access", "`on: local` is reached directly"
            if isinstance(part.url, str) and not part.allow_remote and not is_loopback(part.url):
                yield (
                    f"{name}.url",
                    "not on this machine; `allow_remote: true` beside it if that is meant",
                )
        elif part.url is None:
            yield f"{name}.url", f"`on: {part.on}` needs a url"
        if part.access == "in-cluster" and not env.clusters:
            yield f"{name}.access", "`in-cluster` needs a cluster: `clusters` is empty"


def _api(env: Environment) -> Found:
    if env.api.on == "kubernetes" and not env.clusters:
        yield "api.on", "`kubernetes` needs a cluster: `clusters` is empty"


def _policy(env: Environment) -> Found:
    for index, window in enumerate(env.policy.windows):
        if not window.days:
            yield f"policy.windows.{index}.days", "a window needs at least one day"
        if window.opens >= window.closes:
            yield (
                f"policy.windows.{index}.closes",
                f"{window.closes} is not after {window.opens}; over midnight takes two windows",
            )
    if not _is_time_zone(env.policy.time_zone):
        yield "policy.time_zone", "no such time zone; expected a name such as Europe/Berlin or UTC"


def _is_time_zone(name: str) -> bool:
    if name == "UTC":
        return True
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _references(env: Environment) -> Found:
    for setting, value in leaves(env):
        if not isinstance(value, Reference):
            continue
        if value.kind in ("state", "key") and not env.is_local:
            yield setting, f"{value} exists only in a local environment"
        if value.kind == "secret" and not env.clusters:
            yield setting, f"{value} needs a Kubernetes cluster: `clusters` is empty"


def _literals(env: Environment) -> Found:
    """Secrets that stand in the file itself; the message never repeats them."""
    advice = "a secret does not belong in this file; use ${env:NAME}"
    for setting, value in leaves(env):
        if not isinstance(value, str):
            continue
        name = setting.rpartition(".")[2].lower()
        in_api = setting.startswith("api.environment.")
        named = any(word in name for word in ("secret", "password", "token", "private"))
        if (in_api and named) or has_password(value):
            yield setting, advice


def leaves(env: Environment) -> Iterator[tuple[str, object]]:
    """Every single value of an environment with its setting, e.g. `chain.rpc.0`."""

    def walk(path: str, value: object) -> Iterator[tuple[str, object]]:
        if isinstance(value, Reference):
            yield path, value
        elif isinstance(value, msgspec.Struct):
            for name in value.__struct_fields__:
                if path or name not in ("name", "platform", "folder"):
                    yield from walk(f"{path}.{name}" if path else name, getattr(value, name))
        elif isinstance(value, dict):
            for name, item in value.items():
                yield from walk(f"{path}.{name}", item)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from walk(f"{path}.{index}", item)
        else:
            yield path, value

    return walk("", env)
