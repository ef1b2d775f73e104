"""Commands that make images: build, push."""

from __future__ import annotations

from typing import Annotated

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

NameOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Which of `images` in cbctl.yaml.")
]


def build(
    name: NameOption = "api",
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Build the image with docker, podman or buildah, unless its sources are unchanged.

    Example: cbctl api build --env staging
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    run_step(asked, "api.build", {"name": name})


def push(
    name: NameOption = "api",
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Push the image, built first where it has to be, and print the digest to roll out.

    A list of what is in it (CycloneDX) goes beside it. In ECR the repository is made too.

    Example: cbctl api push --env staging
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    run_step(asked, "api.push", {"name": name})


def add_to(app: typer.Typer) -> None:
    for command in (build, push):
        app.command()(command)
