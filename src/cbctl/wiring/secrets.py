"""The Secrets of an environment on Kubernetes, opened for a command that looks at them."""

from __future__ import annotations

from datetime import UTC, datetime

from cbctl.config.rules import leaves
from cbctl.config.types import Environment, Reference
from cbctl.report.secrets import Status
from cbctl.wiring.api import opened
from cbctl.wiring.view import owner_of


def status(config: str | None, env: str | None) -> Status:
    from cbctl.report import secrets

    with opened(config, env) as there:
        return secrets.status(
            there.api,
            needed(there.work.env),
            owner_of(there.work.env),
            there.settings.deployment or "",
            datetime.now(UTC),
        )


def needed(env: Environment) -> dict[str, dict[str, list[str]]]:
    """What the settings refer to, by Secret and key: the settings that do."""
    found: dict[str, dict[str, list[str]]] = {}
    for setting, value in leaves(env):
        if isinstance(value, Reference) and value.kind == "secret":
            found.setdefault(value.name, {}).setdefault(value.key, []).append(setting)
    for name, keys in env.secrets.items():
        for key in keys:
            found.setdefault(name, {}).setdefault(key, []).append("secrets")
    return found
