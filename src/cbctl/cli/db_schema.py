"""`cbctl db verify` and its relatives: the schema and what migrations make of it."""

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
    LocalEnvOption,
    Output,
    OutputOption,
    PlanOption,
    YesOption,
)
from cbctl.cli.results import print_data, print_text
from cbctl.cli.step import Asked, run_step
from cbctl.errors import Exit

OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="env:NAME",
        help="URL of a server to make the scratch database on, else one is started for it.",
    ),
]


def add_to(app: typer.Typer) -> None:
    for command in (verify, trace, lint, baseline, repair):
        app.command(command.__name__)(command)


def verify(
    on: OnOption = None,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Compare the database with what its applied migrations build (exit 10 when it differs).

    They are run in a scratch database. `-`: what they build, `+`: what the database has.

    Example: cbctl db verify --env local
    """
    from cbctl.wiring.scratch_schema import verify as compared

    found = compared(config, env, on)
    if output is not Output.TEXT:
        print_data(asdict(found), output)
    else:
        for one in found.differences:
            for line in one.lines():
                print_text(line)
        same = "differs in {}" if found.differences else "the schema is what the migrations build"
        words = same.format(_counted(len(found.differences), "place"))
        print_text(f"{found.environment}: {words} up to {found.version:04d}")
        if found.server != found.scratch:
            print_text(
                f"note: they ran on Postgres {found.scratch}, the database is on {found.server}; "
                "texts that the server makes, as of views and indexes, were not compared"
            )
    if found.differences:
        raise typer.Exit(Exit.DIFFERS)


def trace(
    on: OnOption = None,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Run what is not applied yet in a scratch database: which locks, for how long, what rewrites.

    The tables are empty there: locks and rewrites are as on the real ones, times are not.

    Example: cbctl db trace --env local
    """
    from cbctl.wiring.scratch_schema import trace as traced

    found = traced(config, env, on)
    if output is not Output.TEXT:
        print_data([asdict(one) for one in found], output)
        return
    for migration in found:
        alone = "" if migration.transactional else ", without a transaction"
        print_text(f"{migration.title} ({migration.phase}{alone})")
        for statement in migration.statements:
            print_text(f"  line {statement.line}: {statement.sql}  {statement.ms:g} ms")
            for lock in statement.locks or ():
                blocks = f"blocks {lock.blocks}" if lock.blocks else "blocks neither"
                print_text(f"    {lock.mode} on {lock.relation}: {blocks}, {lock.held_ms:g} ms")
            if statement.locks is None:
                print_text("    its locks could not be seen")
            for name in statement.rewrites:
                print_text(f"    rewrites {name}")
    if not found:
        print_text("nothing to do: every migration is applied")


def lint(
    after: Annotated[
        int,
        typer.Option("--after", metavar="VERSION", min=0, help="Only the migrations above it."),
    ] = 0,
    env: LocalEnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Check the migrations by squawk's rules and cbctl's own (exit 10 with findings).

    An exception stands before its statement: `-- cbctl-lint: allow RULE: why it is right here`.

    Example: cbctl db lint
    """
    from cbctl.wiring.database import lint_migrations

    found, without = lint_migrations(config, env, after)
    if output is not Output.TEXT:
        print_data([asdict(one) for one in found], output)
    for one in found if output is Output.TEXT else ():
        print_text(f"{one.file}:{one.line}: {one.rule}: {one.what}")
        if one.fix:
            print_text(f"  fix: {one.fix}")
    if found:
        if without:
            typer.echo(f"note: {without.what}; {without.fix}", err=True)
        raise typer.Exit(Exit.DIFFERS)
    if without:
        raise without
    if output is Output.TEXT:
        print_text("no findings")


def baseline(
    to: Annotated[
        int,
        typer.Option("--to", metavar="VERSION", min=1, help="The version that its schema is at."),
    ],
    on: OnOption = None,
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Take over a database that something else has migrated: recorded up to VERSION, not run.

    Refused unless its schema is what the migrations up to there build.

    Example: cbctl db baseline --to 12 --env local
    """
    from cbctl.wiring.backups import reference_of

    asked = Asked(env, None, config, plan, yes, confirm, output, events)
    server = reference_of(on).text if on else None
    run_step(asked, "db.baseline", {"to": to, "on": server})


def repair(
    env: EnvOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Mend what keeps migrations from running: unfinished ones, invalid indexes, new comments.

    Example: cbctl db repair --env local --plan
    """
    run_step(Asked(env, None, config, plan, yes, confirm, output, events), "db.repair", {})


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
