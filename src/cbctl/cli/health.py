"""`cbctl health`."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text
from cbctl.errors import Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def health(
    env: EnvArgument = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.2, help="Seconds between two looks of --watch.")
    ] = 2.0,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask every part of the current release whether it works; exit 10 when one does not.

    With --watch a line is printed whenever something changes.

    Example: cbctl health local --watch
    """
    from cbctl.cli.results import print_data, print_table
    from cbctl.wiring.runs import parts_health
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    before: list[tuple[str, str]] = []
    while True:
        parts = parts_health(work)
        healthy = all(p["state"] == "healthy" for p in parts)
        now = [(p["name"], p["state"]) for p in parts]
        if not watch or now != before:
            data = {"environment": work.env.name, "healthy": healthy, "parts": parts}
            if output is not Output.TEXT:
                print_data(data, output)
            elif watch and before:
                _print_changes(before, parts)
            else:
                print_table(parts, ("name", "state", "detail"))
            sys.stdout.flush()  # whoever reads a pipe wants to know now
        before = now
        if not watch:
            raise typer.Exit(Exit.DONE if healthy else Exit.DIFFERS)
        time.sleep(every)


def _print_changes(before: list[tuple[str, str]], parts: list[dict[str, Any]]) -> None:
    was = dict(before)
    for part in parts:
        if part["state"] != was.get(part["name"]):
            detail = f": {part['detail']}" if part["detail"] else ""
            print_text(f"{time.strftime('%H:%M:%S')} {part['name']} {part['state']}{detail}")
