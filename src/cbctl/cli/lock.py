"""`cbctl lock`: who holds an environment's lock, and taking it away."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvArgument,
    Output,
    OutputOption,
    YesOption,
)
from cbctl.cli.results import print_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="See who holds an environment's lock, or break it.",
)


@app.command()
def status(
    env: EnvArgument = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show whether the lock is held, by whom and for what.

    Example: cbctl lock status local
    """
    from cbctl.cli.results import print_data
    from cbctl.engine.lock import NO_RUN
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    found = work.store.read_lock()
    holder = None
    if found and found.held:
        holder = {
            "who": found.owner.who,
            "host": found.owner.host,
            "pid": found.owner.pid,
            "process": work.store.owner_state(found.owner),
            "since": found.since,
            "run": found.run,
            "reason": found.reason,
        }
    token = found.token if found else 0
    if output is not Output.TEXT:
        answer = {"environment": work.env.name, "held": holder is not None, "token": token}
        print_data({**answer, "holder": holder}, output)
        return
    if holder is None:
        print_text(f"{work.env.name}: nobody holds the lock (last token {token})")
        return
    print_text(
        f"{work.env.name}: held by {holder['who']} on {holder['host']} "
        f"(process {holder['pid']}, {holder['process']}) since {holder['since']}\n"
        f"  for run {holder['run']}: {holder['reason']}\n"
        f"  token {token}"
    )
    if holder["run"] != NO_RUN:
        print_text(f"  watch it: cbctl runs attach {holder['run']} --env {work.env.name}")


@app.command("break")
def break_(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    env: EnvArgument = None,
    config: ConfigOption = None,
    yes: YesOption = False,
    confirm_env: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Take the lock from its holder, who then changes nothing more.

    Example: cbctl lock break local --reason "laptop of the holder is gone"
    """
    from cbctl.cli.ask import confirm, confirm_name
    from cbctl.cli.results import print_data
    from cbctl.cli.times import said
    from cbctl.wiring.lock import break_lock
    from cbctl.wiring.workplace import open_workplace

    why = said(reason)
    work = open_workplace(config, env)
    name = work.env.name
    if work.env.protected:
        confirm_name(f"taking the lock of {name} from its holder", name, confirm_env)
    else:
        confirm(f"Take the lock of {name} from its holder?", yes)
    run = break_lock(work, why)
    if output is Output.TEXT:
        print_text(f"lock of {work.env.name} broken; recorded as run {run}")
    else:
        print_data({"environment": work.env.name, "run": run}, output)
