"""What runs where: the parts of an environment on this machine, each asked itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cbctl.config.types import Environment, Secret
from cbctl.engine.release import Release
from cbctl.errors import CbctlError
from cbctl.local import probes
from cbctl.local.services import Services
from cbctl.local.spec import Part as Service
from cbctl.local.state import State

# A stranger may have the port, and answer anything.
_NO_VERSION = (
    *(OSError, http.client.HTTPException, CbctlError),
    *(ValueError, LookupError, TypeError, RecursionError),
)


@dataclass(frozen=True)
class Part:
    """state: running, stopped, failed, backoff, unsupervised, given (somebody else's server),
    deployed, missing. version and url are "" when they cannot be told. detail: why not running."""

    name: str
    state: str
    version: str
    url: str
    detail: str = ""

    @property
    def up(self) -> bool:
        return self.state in ("running", "given", "deployed", "unsupervised")


def parts(env: Environment, state: State, current: Release | None) -> list[Part]:
    """Database, cache, chain, program and API, in the order in which they need each other."""
    services = {s.name: s for s in Services(state).status()}
    return [
        _server("postgres", services.get("postgres"), state, "database-url", _postgres),
        _server("redis", services.get("redis"), state, "redis-url", _redis),
        _service("localnet", services.get("localnet"), state, lambda: _localnet(env.chain.port)),
        _program(env, current),
        _service("api", services.get("api"), state, lambda: _api(env)),
    ]


def _never(state: State) -> str:
    return f"never started; cbctl deploy {state.environment}"


def _service(name: str, service: Service | None, state: State, version: Callable[[], str]) -> Part:
    if service is None:
        return Part(name, "missing", "", "", _never(state))
    told = _told(version) if service.running else ""
    return Part(name, service.state, told, service.url, service.detail)


def _server(
    name: str,
    service: Service | None,
    state: State,
    secret: str,
    version: Callable[[Secret], tuple[str, str]],
) -> Part:
    """A server of our own, or one that cbctl.yaml names."""
    url = state.read_secret(secret)
    if service is not None and not (service.state == "stopped" and url):
        told = ("", service.url)
        if service.running and url:
            told = _told_server(version, Secret(url)) or told
        return Part(name, service.state, told[0], service.url or told[1], service.detail)
    if not url:
        return Part(name, "missing", "", "", _never(state))
    answer = _told_server(version, Secret(url))
    if answer is None:
        kind = "stopped" if service is not None else "missing"
        return Part(name, kind, "", service.url if service else "", "it does not answer")
    return Part(name, "given", answer[0], answer[1])


def _program(env: Environment, current: Release | None) -> Part:
    if current is None:
        return Part("program", "missing", "", "", "nothing was deployed yet")
    id = str(current.parts.get("program_id") or "")
    try:
        account = probes.rpc(env.chain.port, "getAccountInfo", [id, {"encoding": "base64"}])
    except (OSError, http.client.HTTPException):
        return Part("program", "unknown", "", id, "the chain does not answer")
    if not isinstance(account, dict) or not account.get("value"):
        return Part("program", "missing", "", id, "not on this chain")
    return Part("program", "deployed", str(current.parts.get("program_hash") or "")[:12], id)


def _postgres(url: Secret) -> tuple[str, str]:
    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.connect import ping

    address = parse(url)
    return ping(address), f"postgresql://{address.host}:{address.port}/{address.database}"


def _redis(url: Secret) -> tuple[str, str]:
    from cbctl.clients.redis import parse, ping

    address = parse(url)
    return ping(address), address.shown


def _localnet(port: int) -> str:
    return str(probes.rpc(port, "getVersion")["solana-core"])


def _api(env: Environment) -> str:
    _, body = probes.get(env.api.port, env.api.health)
    told: Any = json.loads(body)
    return str(told.get("version", "")) if isinstance(told, dict) else ""


def _told(version: Callable[[], str]) -> str:
    try:
        return version()
    except _NO_VERSION:
        return ""


def _told_server(
    version: Callable[[Secret], tuple[str, str]], url: Secret
) -> tuple[str, str] | None:
    try:
        return version(url)
    except (OSError, ValueError, CbctlError):
        return None
