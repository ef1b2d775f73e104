"""`cbctl deploy`."""

from __future__ import annotations

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    Events,
    EventsOption,
    OnlyOption,
    Output,
    OutputOption,
    PlanOption,
    SkipOption,
    YesOption,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def deploy(
    env: EnvArgument = None,
    plan: PlanOption = False,
    only: OnlyOption = None,
    skip: SkipOption = None,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Bring an environment to what the configuration says.

    Everything is looked at first; only what differs is changed; every part is verified. Stopped or
    killed anywhere, `cbctl resume` goes on. Run again, it says that there is nothing to do.

    Example: cbctl deploy local
    """
    from cbctl.cli.session import agreement, plan_only, run
    from cbctl.cli.status import gathered, print_status
    from cbctl.engine.run import Ended
    from cbctl.wiring.jobs import job, require_valid
    from cbctl.wiring.runs import carry_out, checked_plan
    from cbctl.wiring.workplace import Workplace, open_workplace

    chosen, left = tuple(only or ()), tuple(skip or ())
    if plan:
        place = open_workplace(config, env, create=True)
        require_valid(place)
        plan_only(checked_plan(place, job(place, "deploy", only=chosen, skip=left)), output)

    def afterwards(place: Workplace) -> None:
        print()
        print_status(place, gathered(place))
        print("next:    cbctl health local    cbctl local logs --follow    cbctl local down")

    def work(place: Workplace) -> Ended:
        require_valid(place)
        made = job(place, "deploy", only=chosen, skip=left)
        return carry_out(place, made, agreement(place, "deploy", yes, confirm))

    run(config, env, output, events, work, afterwards)
