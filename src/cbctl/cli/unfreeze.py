"""`cbctl unfreeze`."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def unfreeze(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    env: EnvArgument = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Lift the freeze of an environment.

    Example: cbctl unfreeze production --reason "the final is over"
    """
    from cbctl.cli.results import print_data
    from cbctl.cli.times import said
    from cbctl.wiring.policy import unfreeze as lift
    from cbctl.wiring.workplace import open_workplace

    why = said(reason)
    work = open_workplace(config, env, create=True)
    lifted = lift(work, why)
    if output is not Output.TEXT:
        data = {"environment": work.env.name, "frozen": False, "changed": lifted is not None}
        print_data({**data, "reason": why}, output)
    elif lifted is None:
        print_text(f"{work.env.name}: was not frozen; nothing to do")
    else:
        print_text(f"{work.env.name}: deploys go on; frozen was {lifted.reason!r} by {lifted.who}")
