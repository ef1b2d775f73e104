"""`cbctl rollback`."""

from __future__ import annotations

from typing import Annotated

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

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rollback(
    env: EnvArgument = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="RELEASE", help="This release instead of the newest healthy."),
    ] = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Go back to the newest healthy release before this one, from its kept artifacts.

    A release that was rolled back from is marked bad and never chosen again; one that the
    database's schema does not allow is passed over, and the reason is said.

    Example: cbctl rollback local
    """
    from cbctl.cli.session import agreement, plan_only, run
    from cbctl.engine.run import Ended
    from cbctl.wiring.jobs import rollback_job
    from cbctl.wiring.runs import carry_out, checked_plan
    from cbctl.wiring.workplace import Workplace, open_workplace

    if plan:
        place = open_workplace(config, env, create=True)
        plan_only(checked_plan(place, rollback_job(place, to)), output)

    def work(place: Workplace) -> Ended:
        return carry_out(
            place, rollback_job(place, to), agreement(place, "rollback of", yes, confirm)
        )

    run(config, env, output, events, work)
