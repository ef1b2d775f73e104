"""`cbctl deploy`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    Events,
    EventsOption,
    ImageOption,
    OnlyOption,
    Output,
    OutputOption,
    PlanOption,
    SkipOption,
    YesOption,
)

if TYPE_CHECKING:
    from cbctl.engine.job import Ended, Job
    from cbctl.engine.plan import Plan
    from cbctl.wiring.policy import Override
    from cbctl.wiring.workplace import Workplace

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def deploy(
    env: EnvArgument = None,
    plan: PlanOption = False,
    only: OnlyOption = None,
    skip: SkipOption = None,
    plan_out: Annotated[
        Path | None,
        typer.Option(
            "--plan-out", metavar="FILE", help="Like --plan, and keep it to be carried out later."
        ),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan-file",
            metavar="FILE",
            help="Carry out this plan; refused when anything changed, or after two hours.",
        ),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--override",
            metavar="RULE",
            help="Go past freeze, window, approval, backup or digests (repeatable); see --reason.",
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why a rule is overridden; kept in the journal.")
    ] = None,
    image: ImageOption = None,
    from_release: Annotated[
        str | None,
        typer.Option("--release", metavar="RELEASE", help="The image of this release."),
    ] = None,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Bring an environment to what the configuration says.

    Everything is looked at first; only what differs is changed; every part is verified. Stopped or
    killed anywhere, `cbctl resume` goes on. Run again, it says that there is nothing to do. Where
    the service is on Kubernetes and no image is named, the one that runs stays.

    Example: cbctl deploy production --image registry.example/api@sha256:4f1c…
    """
    from cbctl.cli.plan_file import keep_plan, opened, require_alone
    from cbctl.cli.results import print_text
    from cbctl.cli.session import agreement, plan_only, run
    from cbctl.cli.status import gathered, print_status
    from cbctl.cli.times import said
    from cbctl.wiring.image import inputs_of
    from cbctl.wiring.jobs import require_valid
    from cbctl.wiring.policy import objections
    from cbctl.wiring.policy import override as past
    from cbctl.wiring.runs import carry_out, checked_plan
    from cbctl.wiring.workplace import open_workplace

    chosen, left = tuple(only or ()), tuple(skip or ())
    passing = past(override, reason and said(reason))
    require_alone(plan, plan_out, plan_file, bool(chosen or left or image or from_release))
    if plan or plan_out:
        place = open_workplace(config, env, create=True)
        require_valid(place)
        made = _job(place, passing, chosen, left, inputs_of(place, image, from_release))
        found = checked_plan(place, made)
        if plan_out:
            keep_plan(place, made, found, plan_out)
        held = objections(place, found, selected=made.selects)
        held = tuple(o for o in held if o.rule not in passing.rules)
        plan_only(found, output, held, plan_out)

    def afterwards(place: Workplace) -> None:
        print_text("")
        print_status(place, gathered(place))
        if not place.env.is_local:
            print_text(f"next:    cbctl status {place.env.name}    cbctl rollback {place.env.name}")
            return
        logs, down = place.state.command("logs --follow"), place.state.command("down")
        print_text(f"next:    cbctl health {place.env.name}    {logs}    {down}")

    def work(place: Workplace) -> Ended:
        saved = opened(place, plan_file) if plan_file else None
        require_valid(place)
        steps = saved.steps if saved else (chosen, left)
        given = saved.inputs if saved else inputs_of(place, image, from_release)
        made = _job(place, passing, *steps, given)

        def require(found: Plan) -> None:
            if saved:
                saved.require_same(made, found)

        agree = agreement(place, "deploy", yes, confirm)
        return carry_out(place, made, agree, override=passing, require=require)

    run(config, env, output, events, work, afterwards)


def _job(
    place: Workplace,
    passing: Override,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    inputs: Mapping[str, Any],
) -> Job:
    from cbctl.wiring.jobs import job
    from cbctl.wiring.policy import by_digest

    digests = by_digest(place, passing)
    return job(place, "deploy", only=only, skip=skip, inputs=inputs, by_digest=digests)
