"""`cbctl approve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption, YesOption
from cbctl.cli.results import print_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def approve(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN-HASH", help="As --plan-out printed it; 12 digits do.")
    ],
    env: EnvOption = None,
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan-file",
            metavar="FILE",
            help="The saved plan, where --only, --skip or --image was used.",
        ),
    ] = None,
    yes: YesOption = False,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Approve a plan that somebody else will carry out, within two hours.

    The plan is made again here and shown: what is approved is what would happen now. Who approves
    is who the system says you are, and never the one who then deploys.

    Example: cbctl approve 3f1c09a2b7de --env production
    """
    from cbctl.cli.ask import confirm
    from cbctl.cli.plan_file import opened
    from cbctl.cli.results import print_data
    from cbctl.cli.session import show_plan
    from cbctl.wiring.image import inputs_of
    from cbctl.wiring.policy import approve as lay_down
    from cbctl.wiring.policy import plan_to_approve
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env, create=True)
    saved = opened(work, plan_file) if plan_file else None
    only, skip = saved.steps if saved else ((), ())
    inputs = saved.inputs if saved else inputs_of(work, None, None)
    found = plan_to_approve(work, plan, only, skip, inputs)
    show_plan(found)
    confirm(f"Approve this for {work.env.name}, as {work.world.owner.who}?", yes)
    lay_down(work, found.hash)
    if output is not Output.TEXT:
        data = {"environment": work.env.name, "plan": found.hash, "who": work.world.owner.who}
        print_data(data, output)
        return
    print_text(f"{work.env.name}: plan {found.hash[:12]} approved by {work.world.owner.who}")
    if not work.env.policy.approval:
        print_text("the policy asks for no approval; this is kept in the journal all the same")
    print_text("next:    somebody else deploys it within two hours")
