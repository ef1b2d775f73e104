"""`cbctl db verify` and its relatives: the schema and what migrations make of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption
from cbctl.cli.results import print_data, print_text
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
    for command in (verify,):
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


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
