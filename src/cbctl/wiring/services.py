"""The services of this machine as a whole: restarted, stopped, removed under the lock."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cbctl.wiring.lock import locked
from cbctl.wiring.workplace import Workplace

STOP_ORDER = ("api", "localnet", "redis", "postgres")
"""Users of a service stop before it."""


def restart_services(work: Workplace, names: list[str]) -> Iterator[str]:
    """Restarts one after the other under the lock; each is ready when its name is told."""
    from cbctl.local.services import Services

    services = Services(work.state)
    known = [p.name for p in services.status()]
    with locked(work, "restart of local services"):
        for name in names or [n for n in STOP_ORDER[::-1] if n in known]:
            services.restart(name)
            yield name


def stop_services(work: Workplace) -> list[str]:
    from cbctl.local.services import Services

    with locked(work, "stop of local services"):
        return Services(work.state).stop_all(STOP_ORDER)


def reset_state(work: Workplace) -> None:
    """Stops everything and removes the state folder."""
    import shutil

    stop_services(work)
    gone = work.state.path.with_name(f".{work.state.path.name}.{os.getpid()}.removed")
    work.state.path.rename(gone)  # at once: an interrupted removal leaves no half state
    shutil.rmtree(gone)
