"""`cbctl db sessions` and `kill`: who holds whom up, and an end of it."""

from __future__ import annotations

from dataclasses import asdict
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
    PlanOption,
    YesOption,
)
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked, run_step
from cbctl.errors import CbctlError, Exit


def sessions(
    everyone: Annotated[
        bool, typer.Option("--all", help="Also those that hold nobody up and are short.")
    ] = False,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show who waits for whom in the database, and whose transaction is long or forgotten.

    Example: cbctl db sessions --env local
    """
    from cbctl.wiring.database import sessions as look

    found = look(config, env, everyone=everyone)
    if output is not Output.TEXT:
        print_data([asdict(one) for one in found], output)
        return
    if not found:
        print_text("nobody holds anybody up, and no transaction is long")
        return
    columns = ("pid", "user", "application", "address", "state", "transaction", "waits")
    rows = [asdict(one) for one in found]
    for row in rows:
        row["blocked by"] = ", ".join(map(str, row["blocked_by"]))
        row["holds up"] = row["holds_up"] or ""
    print_table(rows, (*columns, "blocked by", "holds up"))
    if first := next((one for one in found if one.holds_up and not one.blocked_by), None):
        print_text(f"\n{first.holds_up} wait for {first.pid}: cbctl db kill {first.pid}")


def kill(
    pid: Annotated[
        int | None, typer.Argument(metavar="PID", min=1, help="As `sessions` shows it.")
    ] = None,
    blocking: Annotated[
        bool,
        typer.Option("--blocking", help="Those that the migration which is running waits for."),
    ] = False,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Cancel what a session is at, and end the session when that does not help.

    --blocking: of each session that a waiting migration waits for, and of no other.

    Example: cbctl db kill 4711 --env local
    """
    if (pid is None) is not blocking:
        raise CbctlError(
            "whose session?", exit=Exit.USAGE, fix="give a PID, or --blocking; not both"
        )
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    run_step(asked, "db.kill", {"pid": pid})


def add_to(app: typer.Typer) -> None:
    for command in (sessions, kill):
        app.command()(command)
