"""The services of this machine as a whole: restarted, stopped, removed under the lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cbctl.errors import CbctlError, Exit
from cbctl.wiring.lock import locked
from cbctl.wiring.workplace import Workplace

STOP_ORDER = ("api", "localnet", "redis", "postgres")
"""Users of a service stop before it."""

USERS = ("api",)
"""Services that talk to others."""


def restart_services(work: Workplace, names: list[str]) -> Iterator[str]:
    """Restarts under the lock; each is ready when its name is told.

    What uses a service is stopped before it and started again after it: whoever takes a port that
    is free for a moment must not be talked to as if it were the service."""
    from cbctl.local.services import Services

    services = Services(work.state)
    known = [p.name for p in services.status()]
    for name in names:
        if name not in known:  # told before anything is stopped for it
            raise CbctlError(
                f"there is no local service {name!r}",
                exit=Exit.USAGE,
                fix="services: " + (", ".join(known) or "none; bring them up with a deploy"),
            )
    running = [p.name for p in services.status() if p.running]
    wanted = names or [n for n in STOP_ORDER[::-1] if services.part(n)]
    first = min((_rank(n) for n in wanted), default=0)
    _require_used(work, wanted)
    users = [n for n in STOP_ORDER if n in running and n in USERS and _rank(n) > first]
    with locked(work, "restart of local services") as held, _fit(work):
        for name in users:
            held.fence()
            services.stop(name)
        for name in sorted({*wanted, *users}, key=_rank):
            held.fence()
            services.restart(name)
            yield name


def _require_used(work: Workplace, wanted: list[str]) -> None:
    """Raises CbctlError (7) when a service is to start whose own services do not run. A server
    that cbctl.yaml names counts as it answers."""
    from cbctl.report.status import parts

    if not set(wanted) & set(USERS):
        return
    down = [p.name for p in parts(work.env, work.state, None) if not p.up]
    missing = [n for n in STOP_ORDER if n in down and n not in wanted and n not in USERS]
    if missing:
        raise CbctlError(
            f"{', '.join(missing)} stopped; {', '.join(USERS)} cannot work without",
            exit=Exit.REFUSED,
            fix=f"cbctl deploy {work.env.name} starts all that is down",
        )


@contextmanager
def _fit(work: Workplace) -> Iterator[None]:
    """A service that fails has its last words quoted, and they may hold what it was given."""
    try:
        yield
    except CbctlError as error:
        raise work.world.fit(error) from error


def _rank(name: str) -> int:
    """Place in the order of starting."""
    return len(STOP_ORDER) - STOP_ORDER.index(name) if name in STOP_ORDER else 0


def stop_services(work: Workplace) -> list[str]:
    with locked(work, "stop of local services"), _fit(work):
        return _stop_all(work)


def reset_state(work: Workplace) -> None:
    """Stops everything and removes the state folder."""
    import shutil

    gone = work.state.path.with_name(f".{work.state.path.name}.{os.getpid()}.removed")
    with locked(work, "reset of this machine") as held, _fit(work):
        _stop_all(work)
        held.fence()
        work.state.path.rename(gone)  # at once: an interrupted removal leaves no half state
    shutil.rmtree(gone)


def _stop_all(work: Workplace) -> list[str]:
    from cbctl.local.services import Services

    return Services(work.state).stop_all(STOP_ORDER)
