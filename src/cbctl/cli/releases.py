"""`cbctl releases`: what was deployed and verified."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cbctl.cli.options import (
    ConfigOption,
    EnvArgument,
    Output,
    OutputOption,
    complete_environments,
)
from cbctl.cli.results import print_text

if TYPE_CHECKING:
    from cbctl.engine.release import Release
    from cbctl.wiring.workplace import Workplace

_SHORT = 8  # characters of a hash


class Listing(TyperGroup):
    """`cbctl releases ENV` lists: the word `list` may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class Mark(StrEnum):
    HEALTHY = "healthy"
    BAD = "bad"


app = typer.Typer(
    cls=Listing,
    add_completion=False,
    rich_markup_mode=None,
    help="What was deployed and verified, newest last; the newest is what runs.",
)


@app.command("list")
def list_(
    env: EnvArgument = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show the releases, newest last; the newest is what runs. `list` may be left out.

    Of a cluster that does not answer, the copy on this machine is shown (exit 1).

    Example: cbctl releases local --output json
    """
    from cbctl.cli.results import print_data
    from cbctl.engine.canonical import plain
    from cbctl.wiring.releases import release_history
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    found, gone = release_history(work)
    if output is not Output.TEXT:
        print_data([plain(r) for r in found], output)
    else:
        _show(work, found)
    if gone:
        raise gone


@app.command()
def mark(
    env: Annotated[
        str,
        typer.Argument(
            metavar="ENV",
            help="Environment of cbctl.yaml.",
            autocompletion=complete_environments,
        ),
    ],
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="Its id, as in r3.")],
    state: Annotated[Mark, typer.Argument(metavar="STATE", help="healthy or bad.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the history.")],
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say of a release what became of it: a bad one is never gone back to.

    Example: cbctl releases mark production r3 bad --reason "payouts were rounded up"
    """
    from cbctl.cli.results import print_data
    from cbctl.cli.times import said
    from cbctl.wiring.releases import mark_release
    from cbctl.wiring.workplace import open_workplace

    why = said(reason)
    work = open_workplace(config, env)
    changed = mark_release(work, release, state.value, why)
    if output is not Output.TEXT:
        data = {"environment": work.env.name, "release": release, "state": state.value}
        print_data({**data, "changed": changed, "reason": why}, output)
        return
    print_text(f"{work.env.name}: {release} is {state.value}{'' if changed else ' already'}")


def _show(work: Workplace, found: list[Release]) -> None:
    from cbctl.cli.results import print_table

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
