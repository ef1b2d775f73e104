"""Brings back what a failed run changed, last first."""

from __future__ import annotations

from typing import Any

from cbctl.engine.carry import Carrying, Progress
from cbctl.engine.plan import NotYet
from cbctl.engine.step import CannotUndo
from cbctl.engine.world import Stopped, guarded
from cbctl.errors import CbctlError


def undo(carrying: Carrying, failure: CbctlError) -> bool:
    """True when all that was begun is as it was before.

    It is journalled ahead: a run that is cut off here goes on undoing when it is resumed."""
    world, log = carrying.world, carrying.log
    log.write(
        "run.undoing",
        error=failure.what,
        where=failure.where,
        fix=failure.fix,
        exit=int(failure.exit),
    )
    complete = True
    for p in reversed(carrying.begun):
        try:
            cannot = _undone(carrying, p)
        except Stopped:
            return False
        complete = complete and cannot is None
        log.write("step.undone", step=p.id, cannot=cannot)
        world.emit("step.undone", carrying.run, step=p.id, cannot=cannot)
    return complete


def _undone(carrying: Carrying, p: Progress) -> str | None:
    """None, or why the step's changes stay."""
    assert p.effect is not None
    world, effect = carrying.world, p.effect
    situation = world.situation(carrying.run, p.id, carrying.held)
    world.emit(
        "step.started",
        carrying.run,
        step=p.id,
        phase="undo",
        summary=f"undo of: {p.node.step.summary}",
        changes=[],
    )

    def work() -> CannotUndo | None:
        situation.fence()
        try:
            inputs = p.inputs if p.inputs is not None else p.node.bind(_known(carrying))
        except NotYet as unknown:
            return CannotUndo(f"its inputs came from {unknown}, which are not known any more")
        return p.node.step.undo(situation, inputs, effect.before, effect.identity)

    task = world.executor.submit(guarded(world, p.id, "undo", work))
    carrying.active[task] = (p, "undo")  # the run does not end before it, whatever happens
    carrying.drain()
    try:
        result = task.result()
    except CbctlError as error:
        return str(error)
    if result is None:
        return None
    return world.text(result.because) if isinstance(result, CannotUndo) else "its undo says nothing"


def _known(carrying: Carrying) -> dict[str, Any]:
    """Outcomes for a step that was begun before the run was resumed and not looked at since."""
    planned = {id: p.planned.outcome for id, p in carrying.nodes.items()}
    return {**planned, **carrying.outcomes()}
