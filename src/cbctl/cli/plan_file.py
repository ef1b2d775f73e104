"""Saved plans: written for later, opened again, never trusted without a new look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.engine.job import Job
    from cbctl.engine.plan import Plan
    from cbctl.engine.saved_plan import Saved
    from cbctl.wiring.workplace import Workplace

LIMIT = 16 << 20  # bytes


@dataclass(frozen=True)
class PlanFile:
    path: Path
    saved: Saved

    @property
    def steps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What was chosen with --only and --skip."""
        selection = self.saved.selection
        return tuple(selection.get("only") or ()), tuple(selection.get("skip") or ())

    @property
    def inputs(self) -> dict[str, Any]:
        """What its runbook was given."""
        return dict(self.saved.selection.get("inputs") or {})

    def require_same(self, job: Job, plan: Plan) -> None:
        from cbctl.engine.saved_plan import require_same

        require_same(self.saved, job, plan, str(self.path))


def read_plan(path: Path) -> Saved:
    """Raises CbctlError: 64 for what is no saved plan, 7 for one that was changed."""
    from cbctl.engine.saved_plan import read
    from cbctl.local.files import read_limited

    try:
        data = read_limited(path, LIMIT)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise CbctlError(what, exit=Exit.USAGE, where=str(path)) from None
    return read(data, str(path))


def opened(place: Workplace, path: Path) -> PlanFile:
    """One that may still be carried out here. Raises CbctlError (64, 7)."""
    from cbctl.engine.saved_plan import require_fresh

    saved = read_plan(path)
    platform, wall = place.settings.platform, place.world.clock.wall()
    require_fresh(saved, place.env.name, platform, wall, str(path))
    return PlanFile(path, saved)


def keep_plan(place: Workplace, job: Job, plan: Plan, path: Path) -> None:
    """Writes it with mode 0600; over an older saved plan, but over nothing else."""
    from cbctl.cli.keep import keep
    from cbctl.engine.saved_plan import MARK, write

    world = place.world
    data = write(job, plan, place.settings.platform, world.owner, world.clock.wall())
    mark = f'"is": "{MARK}"'.encode()
    keep(path, data, lambda start: mark in start, force=None)


def require_alone(plan: bool, out: Path | None, file: Path | None, chosen: bool) -> None:
    """Raises CbctlError (64) for options that say two things."""
    if file and (plan or out):
        raise CbctlError(
            "a saved plan is carried out, or a new one is made",
            exit=Exit.USAGE,
            where="--plan-file",
            fix="leave out --plan and --plan-out; cbctl diff FILE FILE compares saved plans",
        )
    if file and chosen:
        raise CbctlError(
            "the saved plan says which steps and which image it has",
            exit=Exit.USAGE,
            where="--plan-file",
            fix="leave out --only, --skip, --image and --release, or make a new plan with them",
        )
