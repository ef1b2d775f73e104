"""`cbctl secrets`: what the platform needs to be kept secret, where it runs on Kubernetes."""

from __future__ import annotations

from dataclasses import asdict

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
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked, run_step
from cbctl.errors import Exit

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Secrets of the platform on Kubernetes: look, write, hand over. Values are never shown.",
)


@app.command()
def status(
    env: EnvOption = None, output: OutputOption = Output.TEXT, config: ConfigOption = None
) -> None:
    """Show which keys are needed, whether they are there and fresh, and who keeps them.

    Exit 10 when one is missing or stale, or pods run with an old one; 3 when we may not look.

    Example: cbctl secrets status --env staging
    """
    from cbctl.wiring.secrets import status as look

    found = look(config, env)
    if output is not Output.TEXT:
        print_data({"secrets": [asdict(row) for row in found.rows], "pods": found.pods}, output)
    else:
        print_table(
            [asdict(row) for row in found.rows],
            ("secret", "key", "state", "owner", "changed", "wrong"),
        )
        print_text(_PODS[found.pods])
    if found.wrong:
        raise typer.Exit(Exit.DIFFERS)
    raise typer.Exit(Exit.CREDENTIALS if found.unknown else Exit.DONE)


_PODS = {
    "current": "\npods: run with these",
    "old": "\npods: run with old ones; the next cbctl api rollout or restart replaces them",
    "unknown": "\npods: it is not known which ones they run with",
}


@app.command()
def write(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Write the Secrets that `secrets` in cbctl.yaml names, where External Secrets does not.

    Example: cbctl secrets write --env development
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    _require_kubernetes(asked)
    run_step(asked, "secrets.write", {})


@app.command()
def handover(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Hand Secrets that cbctl wrote over to External Secrets; their data stays.

    Example: cbctl secrets handover --env staging
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    _require_kubernetes(asked)
    run_step(asked, "secrets.handover", {})


def _require_kubernetes(asked: Asked) -> None:
    from cbctl.wiring.api import require_kubernetes

    require_kubernetes(asked.config, asked.place)
