"""A run as a person or a script sees it: face, question, last word."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from cbctl.cli.ask import confirm, confirm_name
from cbctl.cli.options import Events, Output
from cbctl.cli.results import print_data, print_fields, print_text, write
from cbctl.engine.clock import stamp
from cbctl.engine.event import Event
from cbctl.engine.plan import Plan, Planned, describe
from cbctl.engine.policy import Objection
from cbctl.engine.run import Ended, Result, summary
from cbctl.errors import CbctlError, Exit
from cbctl.render.output import Output as Stream
from cbctl.wiring.clusters import MAINNET, PREFIX
from cbctl.wiring.workplace import Workplace, open_workplace

if TYPE_CHECKING:
    from cbctl.render.face import Mode


def run(
    config: str | None,
    env: str | None,
    output: Output,
    events: Events,
    work: Callable[[Workplace], Ended],
    afterwards: Callable[[Workplace], None] = lambda place: None,
    *,
    chain: bool = False,
    outcome: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Opens the environment, shows the run and leaves with its exit code.

    afterwards  prints what a person wants to see after a success
    chain       the command works on the chain or the database alone, which may be anywhere
    outcome     what the result says beside how the run ended"""
    from cbctl.local.runlogs import RunLogs
    from cbctl.machine import Threads
    from cbctl.render.face import face
    from cbctl.render.failure import show as show_error
    from cbctl.render.record import Record

    mode = mode_of(output, events)
    machine = mode == "ndjson" or output is not Output.TEXT
    threads = Threads()
    with face(mode, sys.stderr, os.environ, stdout=sys.stdout, every=threads.every) as shown:
        # a terminal that goes away must not take the run with it
        signal.signal(signal.SIGHUP, lambda *_: shown.hangup())
        try:
            place = open_workplace(config, env, shown, say=shown.say, create=True, chain=chain)
            shown.also(Record(RunLogs(place.state).begin, shown.say))
            ended = work(place)
        except CbctlError as error:
            if not machine:
                raise
            # nothing was begun; whoever reads stdout gets a result all the same
            ended = Ended("", _result(error), error.exit, error=error)
            if events is Events.NDJSON:
                shown(Event("run.ended", stamp(time.time()), "", summary(ended)))
            show_error(error, sys.stderr)
    waits = ended.error if ended.result == "waiting" else None
    asked_for = waits.evidence if waits else {}  # what whoever it waits for needs
    try:
        if output is not Output.TEXT:
            asked = {"outcome": dict(asked_for)} if asked_for else {}
            print_data({**summary(ended), **asked, **outcome()}, output)
        elif ended.exit is Exit.DONE and events is Events.NONE:
            afterwards(place)
        elif events is Events.NONE:
            print_fields(asked_for)
    except CbctlError as error:  # the run is over: its end is what the exit code tells
        show_error(error, sys.stderr)
    raise typer.Exit(int(ended.exit))


def mode_of(output: Output, events: Events) -> Mode:
    """How a run is shown. Raises CbctlError (64) for two that exclude each other."""
    if events is Events.NDJSON and output is not Output.TEXT:
        raise CbctlError(
            "--events and --output both write to stdout",
            exit=Exit.USAGE,
            fix="use one of them; the last event is the result",
        )
    return "ndjson" if events is Events.NDJSON else "auto"


def _result(error: CbctlError) -> Result:
    if error.exit is Exit.CANCELLED:
        return "cancelled"
    return "refused" if error.exit in (Exit.REFUSED, Exit.LOCKED, Exit.USAGE) else "failed"


def agreement(
    work: Workplace, face_hint: str, yes: bool, named: str | None
) -> Callable[[Plan], None]:
    """What is asked before a plan is carried out. What is on this machine asks nothing."""
    name = work.env.name.removeprefix(PREFIX)

    def agree(plan: Plan) -> None:
        if work.env.protected or work.env.chain.cluster == MAINNET:
            show_plan(plan)
            confirm_name(f"{face_hint} {name}", name, named)
        elif not (work.env.is_local or work.env.chain.cluster == "local" or yes):
            show_plan(plan)
            confirm(f"{face_hint} {name}?", yes)

    return agree


def show_plan(plan: Plan) -> None:
    from cbctl.render.plan import text

    steps = [_planned(p) for p in plan.steps]
    Stream(sys.stderr).write(text(steps, hash=plan.hash, colour=_colour(sys.stderr)))


def plan_only(
    plan: Plan, output: Output, held: Sequence[Objection] = (), file: Path | None = None
) -> None:
    """`--plan`: shows it and leaves with 0 (nothing to do), 2 (changes) or 7 (blocked).

    held  what policy says against carrying it out now
    file  where it was kept"""
    from cbctl.render.plan import text

    steps = [_planned(p) for p in plan.steps]
    if output is Output.TEXT:
        write(text(steps, hash=plan.hash, colour=_colour(sys.stdout)))
        for objection in () if plan.empty else held:
            print_text(f"held back by {objection.rule}: {objection.why}")
        if file:
            print_text(f"kept in {file}: {plan.hash}")
    else:
        told = () if plan.empty else held
        said = [{"rule": o.rule, "why": o.why, "fix": o.fix} for o in told]
        data = {"plan": plan.hash, "changes": not plan.empty, "steps": steps, "held": said}
        print_data({**data, "file": str(file)} if file else data, output)
    if plan.blocked:
        raise typer.Exit(Exit.REFUSED)
    raise typer.Exit(Exit.DONE if plan.empty else Exit.PENDING)


def _planned(planned: Planned) -> dict[str, Any]:
    """Lamports, where a step tells what it will cost, and notes are what a person decides by."""
    told = {"id": planned.id, "step": planned.name, "summary": planned.summary}
    seen = dict(planned.evidence)
    lamports = {name: seen[name] for name in ("locked", "returned", "fees") if name in seen}
    more: dict[str, Any] = {"lamports": lamports} if lamports else {}
    if notes := seen.get("notes"):
        more["notes"] = notes
    return {**told, **describe(planned.verdict), **more}


def _colour(stream: TextIO | None) -> bool:
    on = stream is not None and stream.isatty()
    return on and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
