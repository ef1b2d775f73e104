"""`cbctl health`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text
from cbctl.errors import CbctlError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LONGEST = 86_400.0


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

    if not every <= _LONGEST:  # so that what is no number is none either
        raise CbctlError(
            f"--every {every:g}: at most {_LONGEST:g} seconds", exit=Exit.USAGE, fix="--every 2"
        )
    work = open_workplace(config, env)
    before: list[tuple[str, str]] = []
    while True:
        parts = parts_health(work)
        healthy = all(p["state"] == "healthy" for p in parts)
        now = [(p["name"], p["state"]) for p in parts]
        if not watch or now != before:
            data = {"environment": work.env.name, "healthy": healthy, "parts": parts}
            if output is not Output.TEXT:
                read = print_data(data, output)
            elif watch and before:
                read = _print_changes(before, parts)
            else:
                read = print_table(parts, ("name", "state", "detail"))
        before = now
        if not (watch and read):
            raise typer.Exit(Exit.DONE if healthy else Exit.DIFFERS)
        time.sleep(every)


def _print_changes(before: list[tuple[str, str]], parts: list[dict[str, Any]]) -> bool:
    was, now = dict(before), time.strftime("%H:%M:%S")
    changed = [p for p in parts if p["state"] != was.get(p["name"])]
    return print_text(
        "\n".join(
            f"{now} {p['name']} {p['state']}" + (f": {p['detail']}" if p["detail"] else "")
            for p in changed
        )
    )
