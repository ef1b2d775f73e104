"""`cbctl freeze`."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def freeze(
    reason: Annotated[str, typer.Option("--reason", help="Why; everyone who is refused reads it.")],
    env: EnvArgument = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            help="It ends by itself: 2026-11-30T08:00 (UTC), or in 90m, 24h, 7d.",
        ),
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Hold back deploys of an environment until somebody lifts it.

    Rollback, pause and resume go on. A run that is going on is not stopped.

    Example: cbctl freeze production --reason "final of the cup" --until 24h
    """
    from cbctl.cli.results import print_data
    from cbctl.cli.times import ahead, said
    from cbctl.engine.canonical import plain
    from cbctl.engine.policy import minute
    from cbctl.wiring.policy import freeze as lay_down
    from cbctl.wiring.workplace import open_workplace

    why = said(reason)
    work = open_workplace(config, env, create=True)
    end = ahead(until, work.world.clock.wall()) if until else ""
    new, before = lay_down(work, why, end)
    if output is not Output.TEXT:
        data = {"environment": work.env.name, "frozen": True, "changed": new}
        data = {**data, "reason": why, "until": end or None}
        print_data({**data, "replaces": plain(before)}, output)
        return
    ends = f" until {minute(end)}" if end else ""
    told = f"frozen{ends}" if new else f"was frozen{ends} already"
    print_text(f"{work.env.name}: {told}: {why}")
    if before:
        ended = f"until {minute(before.until)}" if before.until else "without an end"
        print_text(f"takes the place of: {ended}, by {before.who}: {before.reason}")
    print_text(f"next:    cbctl unfreeze {work.env.name} --reason WHY")
