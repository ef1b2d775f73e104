"""The parts of an environment, wherever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cbctl.engine.release import Release
from cbctl.wiring import stores
from cbctl.wiring.view import owner_of
from cbctl.wiring.workplace import Workplace

if TYPE_CHECKING:
    from cbctl.report.status import Part


def parts(work: Workplace, current: Release | None) -> list[Part]:
    """None where nothing but a chain is known."""
    if work.env.is_local:
        from cbctl.report.status import parts as here

        return here(work.env, work.state, current)
    if not stores.is_shared(work.env):
        return []
    from cbctl.report import elsewhere

    return elsewhere.parts(work.env, owner_of(work.env), work.world.reveal, current)


def servers_health(work: Workplace, current: Release) -> list[dict[str, Any]]:
    """Of what a service in Kubernetes needs and no step of the way back looks at, in the form of
    the engine's health. What only the cluster reaches is left out: each pod says of itself whether
    it reaches it."""
    return [
        {
            "name": part.name,
            "state": "healthy" if part.up else "unhealthy",
            "detail": "" if part.up else part.detail,
            "evidence": {"version": part.version, "url": part.url},
        }
        for part in parts(work, current)
        if part.name != "api" and part.state != "in-cluster"
    ]
