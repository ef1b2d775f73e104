"""`cbctl releases`: what was deployed and verified."""

from __future__ import annotations

from typing import Any

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text

_SHORT = 8  # characters of a hash

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def releases(
    env: EnvArgument = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show what was deployed and verified, newest last; the newest is what runs.

    Example: cbctl releases local --output json
    """
    from cbctl.cli.results import print_data, print_table
    from cbctl.engine import release
    from cbctl.engine.canonical import plain
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    found = release.history(work.store)
    if output is not Output.TEXT:
        print_data([plain(r) for r in found], output)
        return
    if not found:
        print_text(f"{work.env.name}: no release yet; cbctl deploy {work.env.name} makes one")
        return
    newest = found[-1].id
    rows: list[dict[str, Any]] = [
        {
            "release": r.id,
            "at": r.at[:19],
            "state": f"{r.state}, runs" if r.id == newest else r.state,
            "by": r.who,
            "consists of": _parts(r.parts),
            "because": r.reason,
        }
        for r in found
    ]
    print_table(rows)


def _parts(parts: dict[str, Any]) -> str:
    """name=value of what is known by a hash or address, shortened as git does; each value once."""
    shown: dict[str, str] = {}
    for name, value in parts.items():
        if isinstance(value, str) and len(value) > _SHORT * 2 and value not in shown.values():
            shown[name] = value
    return " ".join(f"{name}={value[:_SHORT]}" for name, value in shown.items())
