"""`cbctl diff`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption

if TYPE_CHECKING:
    from cbctl.report.diff import Diff, Difference

app = typer.Typer(rich_markup_mode=None)

_WIDTH = 80
_HELP = "Id of a release (r1), or `current`."


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    b: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what differs between two releases, and what going from A to B means.

    Example: cbctl diff r1 current --env local
    """
    from cbctl.cli.results import print_data
    from cbctl.engine import release
    from cbctl.engine.canonical import plain
    from cbctl.render.output import Output as Stream
    from cbctl.report.diff import chosen, compare
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    known = release.history(work.store)
    found = compare(chosen(known, a), chosen(known, b), chosen(known, "current"))
    if output is not Output.TEXT:
        print_data(plain(found), output)
        return
    stdout = Stream(sys.stdout)
    for line in lines(found):
        stdout.line(line)


def lines(found: Diff) -> list[str]:
    """For a terminal of 80 columns; every text in it is harmless."""
    told = [_side("A", found.a), _side("B", found.b), ""]
    for title, rows in (
        ("parts", found.parts),
        ("made by", found.identity),
        ("schema", found.schema),
    ):
        told += _differences(title, rows)
    if found.same:
        told += ["nothing differs", ""]
    for text in found.means:
        told += _wrapped("means     ", text)
    return told


def _side(name: str, side: Any) -> str:
    from cbctl.render.clean import clean

    runs = ", runs now" if side["current"] else ""
    why = f" ({side['reason']})" if side["reason"] else ""
    at = side["at"][:19].replace("T", " ")
    return clean(f"{name}  {side['id']}  {at}  by {side['who']}  {side['state']}{why}{runs}")


def _differences(title: str, rows: Sequence[Difference]) -> list[str]:
    from cbctl.render.words import change

    if not rows:
        return []
    shown = [change({"what": d.what, "before": d.before, "after": d.after}, 70) for d in rows]
    labels = [title, *("" for _ in rows[1:])]
    return [*(f"{a:<8}  {b}" for a, b in zip(labels, shown, strict=True)), ""]


def _wrapped(label: str, text: str) -> list[str]:
    from cbctl.render.clean import clean

    return textwrap.wrap(
        clean(text), _WIDTH, initial_indent=label, subsequent_indent=" " * len(label)
    )
