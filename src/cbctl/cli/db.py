"""`cbctl db`: the schema of the database."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from cbctl.cli import db_backups, db_data, db_roles, db_schema, db_sessions, db_shell, db_upkeep
from cbctl.cli.options import (
    ConfigOption,
    ConfirmOption,
    EnvOption,
    Events,
    EventsOption,
    LocalEnvOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked, run_step
from cbctl.errors import Exit


class Phase(StrEnum):
    AUTO = "auto"
    PRE = "pre"
    POST = "post"
    ALL = "all"


class NewPhase(StrEnum):
    PRE = "pre"
    POST = "post"


PhaseOption = Annotated[
    Phase,
    typer.Option(
        "--phase",
        help="pre: before new code; post: what old code could not bear; auto: pre, and on a new "
        "database all.",
    ),
]
OutOfOrderOption = Annotated[
    bool,
    typer.Option("--out-of-order", help="Even migrations that come before an applied one."),
]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The database's schema: look, write a migration, migrate, go back; and its backups.",
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it does: add_users.")],
    phase: Annotated[
        NewPhase,
        typer.Option("--phase", help="post: what the code before could not bear."),
    ] = NewPhase.PRE,
    no_transaction: Annotated[
        bool,
        typer.Option("--no-transaction", help="For one statement such as CREATE INDEX ..."),
    ] = False,
    env: LocalEnvOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the files of a new migration, with the next number.

    Example: cbctl db create add_users
    """
    from cbctl.wiring.database import new_migration

    files = new_migration(config, env, name, phase=phase.value, transaction=not no_transaction)
    print_text("\n".join(map(str, files)))


@app.command()
def status(
    env: EnvOption = None, output: OutputOption = Output.TEXT, config: ConfigOption = None
) -> None:
    """Show which migrations are applied, due or waiting, and what is wrong.

    Example: cbctl db status --env local
    """
    from cbctl.wiring.database import schema

    found = schema(config, env)
    if output is not Output.TEXT:
        print_data(asdict(found), output)
        return
    print_table(
        [asdict(row) for row in found.rows], ("version", "name", "phase", "state", "at", "by", "ms")
    )
    print_text(f"\nschema: {found.version:04d}")
    _told(found.notes, found.invalid, found.problem, found.fix)


@app.command()
def plan(
    phase: PhaseOption = Phase.AUTO,
    out_of_order: OutOfOrderOption = False,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show the statements that would run (exit 2 when any would, 7 when none may).

    Example: cbctl db plan --env local
    """
    from cbctl.wiring.database import schema

    found = schema(config, env, phase.value, out_of_order=out_of_order)
    if output is not Output.TEXT:
        print_data({**asdict(found), "rows": [asdict(row) for row in found.due]}, output)
    else:
        for row in found.due:
            print_text(f"{row.version:04d}_{row.name} ({row.phase})")
            for statement in row.statements:
                print_text(f"  {statement};")
        if not found.due:
            print_text(f"nothing to do: the schema is at {found.version:04d}")
        _told(found.notes, found.invalid, found.problem, found.fix)
    if found.problem:
        raise typer.Exit(Exit.REFUSED)
    raise typer.Exit(Exit.PENDING if found.due else Exit.DONE)


def _told(notes: tuple[str, ...], invalid: tuple[str, ...], problem: str, fix: str) -> None:
    for note in notes:
        print_text(f"note: {note}")
    for index in invalid:
        print_text(f"invalid index: {index}; drop it, or: reindex index concurrently {index}")
    if problem:
        print_text(f"! {problem}\n  fix: {fix}")


@app.command()
def migrate(
    phase: PhaseOption = Phase.AUTO,
    out_of_order: OutOfOrderOption = False,
    new_database: Annotated[
        bool,
        typer.Option("--new-database", help="Take an empty database for this environment."),
    ] = False,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Run the migrations that are due, each in one transaction and exactly once.

    Killed anywhere, the next run continues. No traffic queues behind a lock for over a second.

    Example: cbctl db migrate --env local
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    given = {
        "phase": phase.value,
        "out_of_order": out_of_order or None,
        "create_marker": new_database or None,
    }
    run_step(asked, "db.migrate", given)


@app.command()
def rollback(
    to: Annotated[
        int,
        typer.Option("--to", metavar="VERSION", min=0, help="The last migration that stays."),
    ],
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Take migrations back by their down files, the newest first. What they drop is gone.

    Example: cbctl db rollback --to 3 --env local
    """
    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    run_step(asked, "db.rollback", {"to": to})


for part in (db_schema, db_sessions, db_upkeep, db_roles, db_shell, db_backups, db_data):
    part.add_to(app)
