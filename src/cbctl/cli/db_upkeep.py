"""`cbctl db maintain` and `analyze`."""

from __future__ import annotations

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)
from cbctl.cli.step import Asked, run_step


def maintain(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Vacuum and analyze the tables that want it, and no others; reads and writes go on.

    --plan says which, and why: dead rows, statistics out of date, rows that are too old.

    Example: cbctl db maintain --env production --plan
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.maintain", {})


def analyze(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Bring the planner's statistics up to date, of tables where they are not.

    Example: cbctl db analyze --env local --yes
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.analyze", {})


def add_to(app: typer.Typer) -> None:
    for command in (maintain, analyze):
        app.command()(command)
