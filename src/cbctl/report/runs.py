"""Runs as their journals tell them."""

from __future__ import annotations

import difflib
from typing import Any

from cbctl.engine import journal
from cbctl.engine.canonical import plain
from cbctl.engine.journal import RUNS
from cbctl.engine.lock import NO_RUN
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit


def summaries(store: Store) -> list[dict[str, Any]]:
    """{run, kind, environment, started, ended, result, exit, changes, release, who}, oldest first.

    result is that of the last end; "interrupted" when a run has none and its process is gone,
    "running" while somebody holds the lock for it."""
    running = going_on(store)
    found = []
    for stream in store.streams(RUNS):
        records = journal.read(store, stream)
        if not records:
            continue
        first, last, id = records[0], records[-1], stream.removeprefix(RUNS)
        ended = last.type == "run.ended"
        changes = (
            last.data["changes"]
            if ended
            else [c for r in records if r.type == "step.intent" for c in r.data["changes"]]
        )
        result = last.data["result"] if ended else "running" if id == running else "interrupted"
        if first.type == "lock.broken":
            result = "lock broken"
        found.append(
            {
                "run": id,
                "kind": first.data.get("kind", first.type),
                "environment": first.data.get("environment"),
                "started": first.at,
                "ended": last.at if ended else None,
                "result": result,
                "exit": last.data["exit"] if ended else None,
                "changes": len(changes),
                "release": last.data.get("release") if ended else None,
                "who": first.data["who"],
            }
        )
    return found


def going_on(store: Store) -> str:
    """Id of the run that somebody carries out right now, else ""."""
    lock = store.read_lock()
    if lock is None or not lock.held or lock.run == NO_RUN:
        return ""
    return lock.run if store.owner_state(lock.owner) != "dead" else ""


def find(store: Store, run: str, environment: str) -> str:
    """The id of a run that there is; of the newest for `last`. Raises CbctlError (64)."""
    known = [s.removeprefix(RUNS) for s in store.streams(RUNS)]
    if run == "last" and known:
        return known[-1]
    if run not in known:
        near = difflib.get_close_matches(run, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise CbctlError(
            f"there is no run {run!r}{hint}",
            exit=Exit.USAGE,
            fix=f"cbctl runs list --env {environment}",
        )
    return run


def journal_of(store: Store, run: str) -> list[dict[str, Any]]:
    """All records of a run that there is."""
    records = [plain(r) for r in journal.read(store, RUNS + run)]
    return [r for r in records if isinstance(r, dict)]
