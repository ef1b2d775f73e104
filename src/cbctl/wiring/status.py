"""The parts of an environment, wherever it is."""

from __future__ import annotations

from cbctl.engine.release import Release
from cbctl.report.status import Part
from cbctl.wiring import stores
from cbctl.wiring.view import owner_of
from cbctl.wiring.workplace import Workplace


def parts(work: Workplace, current: Release | None) -> list[Part]:
    """None where nothing but a chain is known."""
    if work.env.is_local:
        from cbctl.report.status import parts as here

        return here(work.env, work.state, current)
    if not stores.is_shared(work.env):
        return []
    from cbctl.report import elsewhere

    return elsewhere.parts(work.env, owner_of(work.env), work.world.reveal, current)
