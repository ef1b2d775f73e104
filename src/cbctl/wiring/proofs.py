"""Which backups were proved, by the history that is audited. The file beside a backup says it too,
but whoever may write there may have written that."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from cbctl.engine import journal, policy
from cbctl.engine.journal import RUNS, Journal, Record
from cbctl.errors import CbctlError
from cbctl.wiring.lock import locked
from cbctl.wiring.workplace import Workplace

_INPUT = "proved"
_MOST = 1000
"""Of the newest: they travel with a step into the cluster. Who needs one needs a new one."""
_TAKES_ONE = "db.safeguard"


def digests(work: Workplace) -> dict[str, str]:
    """By their ids, of their manifests."""
    found = policy.proved(work.store)
    newest = sorted(found, key=lambda id: found[id].made)[-_MOST:]
    return {id: found[id].digest for id in newest}


def of_history(work: Workplace, inputs: type[Any]) -> dict[str, Any]:
    """What a step gets of it that has such an input; no runbook has to say so."""
    wants = any(field.name == _INPUT for field in fields(inputs))
    return {_INPUT: digests(work)} if wants else {}


def after_run(work: Workplace, run: str) -> None:
    """A backup that the run itself took and proved goes into the history. That it could not is
    told, never fatal: the next run takes another one."""
    try:
        for told in _taken(journal.read(work.store, RUNS + run)) if run else ():
            known = policy.proved(work.store).get(told["backup"])
            if known is None or known.digest != told["manifest"]:
                _record(work, told)
    except CbctlError as error:
        work.say(f"the proof of a backup was not recorded: {work.world.scrub(str(error))}")


def _taken(records: list[Record]) -> list[dict[str, Any]]:
    """Outcomes of steps that proved one."""
    shown: list[dict[str, Any]] = next(
        (r.data["shown"] for r in records if r.type == "run.started"), []
    )
    takes = {one["id"] for one in shown if one["step"] == _TAKES_ONE}
    found = [r.data for r in records if r.type == "step.outcome" and r.data["step"] in takes]
    return [data["outcome"] for data in found if data["outcome"].get("manifest")]


def _record(work: Workplace, told: dict[str, Any]) -> None:
    owner = work.world.owner
    with locked(work, f"proof of the backup {told['backup']}") as held:
        log = Journal(work.store, work.world.clock, policy.BACKUPS, held.token)
        policy.backup_verified(
            log, owner.who, owner.host, told["backup"], told["made"], told["manifest"]
        )
