"""`cbctl resume`."""

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
    YesOption,
    complete_runs,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def resume(
    id: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Id of a run; without it, the newest open one.",
            autocompletion=complete_runs,
        ),
    ] = None,
    env: EnvOption = None,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Go on with a run that was stopped, killed or failed.

    What the run did already is found and kept; it ends as it would have ended unbroken.

    Example: cbctl resume --env local
    """
    from cbctl.cli.session import agreement, run
    from cbctl.wiring.runs import resume as go_on
    from cbctl.wiring.workplace import settings

    if id and not env and id in settings(config).environments:
        id, env = None, id  # `cbctl resume local` says all there is to say

    run(
        config,
        env,
        output,
        events,
        lambda place: go_on(place, id, agreement(place, "resume on", yes, confirm)),
    )
