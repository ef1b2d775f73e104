"""`cbctl env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def group() -> None:
    """An environment as a whole."""


@app.command()
def record(
    env: EnvArgument = None,
    account: Annotated[
        bool, typer.Option("--account", help="Ask AWS whose account this is, too.")
    ] = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Record who the target of an environment is, so that nothing else is ever taken for it.

    An empty database and cache get a marker; the rest is printed, to be kept in cbctl.yaml. From
    then on a deploy is refused when any of it is another one.

    Example: cbctl env record staging
    """
    from cbctl.cli.step import Asked, run_step
    from cbctl.wiring.api import require_kubernetes

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    require_kubernetes(config, asked.place)
    run_step(asked, "env.record", {"account": account or None}, show=_show)


def _show(told: Mapping[str, Any]) -> None:
    """As it is to be written into cbctl.yaml."""
    from cbctl.cli.results import print_text

    kept = {name: told.get(name) for name in ("cluster_uid", "namespace_uid", "account_id")}
    print_text("# belongs to this environment in cbctl.yaml:")
    if genesis := told.get("genesis_hash"):
        print_text(f"chain:\n  genesis_hash: {genesis}")
    print_text("identity:")
    for name, value in kept.items():
        if value:
            print_text(f'  {name}: "{value}"')
    for line in told.get("unread") or ():
        print_text(f"# not read: {line}")
