"""`cbctl db sessions`, `kill`, `maintain`, `analyze`, `roles` and `shell`: whoever works in it."""

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


def maintain(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Vacuum and analyze the tables that want it, and no others; reads and writes go on.

    --plan says which, and why: dead rows, statistics out of date, rows that are too old.

    Example: cbctl db maintain --env production --plan
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.maintain", {})


def analyze(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Bring the planner's statistics up to date, of tables where they are not.

    Example: cbctl db analyze --env local --yes
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.analyze", {})


def roles(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Make the roles of `database.roles`, or put their rights and passwords right.

    --plan says what differs: what they lack, and what they or everybody may too much.

    Example: cbctl db roles --env production --plan
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.roles", {})


def shell(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="For psql itself.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="As the owner of the schema, who may change something.")
    ] = False,
    env: EnvOption = None,
    confirm: ConfirmOption = None,
    config: ConfigOption = None,
) -> None:
    """Open psql on the database, its password in no command line and no variable.

    Read-only where the environment is protected or `database.roles.readonly` is set, until --write.

    Example: cbctl db shell --env production
    """
    from cbctl.cli.ask import confirm_name
    from cbctl.wiring.database import shell as opened

    def agree(name: str) -> None:
        confirm_name(f"a shell that may change {name}", name, confirm)

    def say(text: str) -> None:
        typer.echo(text, err=True)

    raise typer.Exit(opened(config, env, words or (), write=write, agree=agree, say=say))


def add_to(app: typer.Typer) -> None:
    for command in (sessions, kill, maintain, analyze, roles, shell):
        app.command()(command)
