"""Commands that change what runs: rollout, undo, scale, restart."""

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
from cbctl.errors import CbctlError, Exit

_KEPT = ("manifests",)
"""Of an outcome, what is for later runs and not for people."""


def rollout(
    image: Annotated[
        str,
        typer.Option("--image", metavar="NAME@sha256:…", help="What is to run, by its digest."),
    ],
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Apply the manifests with an image, and wait until it runs, or say why it does not.

    What fails is taken back, with its events and last log lines kept: cbctl why last --env ENV.

    Example: cbctl api rollout --image registry.example/api@sha256:4f1c… --env staging
    """
    from cbctl.wiring.api import require_kubernetes

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    run_step(asked, "api.rollout", {"image": image}, unsaid=_KEPT)


def undo(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REVISION",
            help="A revision, run or hash of `cbctl api history`; without it, the newest healthy.",
        ),
    ] = None,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Go back to the newest rollout that was found healthy, with the manifests that it had.

    Never held back by a freeze or any other policy; what was passed is recorded.

    Example: cbctl api undo --env production --confirm production
    """
    from cbctl.wiring.api import kept_manifests, require_kubernetes

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    given = {"kept": kept_manifests(config, asked.place, to)}
    run_step(asked, "api.undo", given, unsaid=_KEPT)


def scale(
    count: Annotated[int | None, typer.Argument(metavar="N", help="Pods, at least.", min=1)] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Back to what the manifests say.")] = False,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Set how many pods there are at least; rollouts keep that until --reset.

    Where an autoscaler owns the number, its lower bound is set, and the upper one where it is less.

    Example: cbctl api scale 5 --env production --confirm production
    """
    from cbctl.wiring.api import require_kubernetes

    if (count is None) != reset:
        raise CbctlError("how many pods?", exit=Exit.USAGE, fix="a number, or --reset; one of them")
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    run_step(asked, "api.scale", {"count": count})


def finish(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Remove the side that a blue-green rollout left; until then `undo` returns to it at once.

    Example: cbctl api finish --env production --confirm production
    """
    from cbctl.wiring.api import require_kubernetes

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    run_step(asked, "api.finish", {})


def restart(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Replace every pod by a new one of the same kind, as a rollout does it.

    Example: cbctl api restart --env staging
    """
    from cbctl.wiring.api import require_kubernetes

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    run_step(asked, "api.restart", {})


def add_to(app: typer.Typer) -> None:
    for command in (rollout, undo, finish, scale, restart):
        app.command()(command)
