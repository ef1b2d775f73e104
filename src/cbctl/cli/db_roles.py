"""`cbctl db roles`."""

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


def roles(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Make the roles of `database.roles`, or put their rights and passwords right.

    --plan says what differs: what they lack, and what they or everybody may too much.

    Example: cbctl db roles --env production --plan
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.roles", {})


def add_to(app: typer.Typer) -> None:
    app.command()(roles)
