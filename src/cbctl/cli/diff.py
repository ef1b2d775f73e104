"""`cbctl diff`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.report.diff import Diff, Difference
    from cbctl.report.plan_diff import PlanDiff

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_WIDTH = 80
_HELP = "Id of a release (r1), `current`, or the file of a saved plan."


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    b: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what differs between two releases, or between two saved plans, and what that means.

    Example: cbctl diff r1 current --env local
    """
    from cbctl.engine import release
    from cbctl.report.diff import chosen, compare
    from cbctl.wiring.workplace import open_workplace

    if _is_file(a) or _is_file(b):
        _plans(a, b, output)
        return
    work = open_workplace(config, env)
    known = release.history(work.store)
    found = compare(chosen(known, a), chosen(known, b), chosen(known, "current"))
    _show(found, lines(found), output)


def _plans(a: str, b: str, output: Output) -> None:
    from cbctl.cli.plan_file import read_plan
    from cbctl.report.plan_diff import compare

    for name in (a, b):
        if not _is_file(name):
            raise CbctlError(
                f"{name} is a release, and the other is the file of a plan",
                exit=Exit.USAGE,
                fix="name two releases, or two files that --plan-out wrote",
            )
    found = compare(read_plan(Path(a)), read_plan(Path(b)))
    _show(found, plan_lines(found), output)


def _show(found: object, told: Sequence[str], output: Output) -> None:
    from cbctl.cli.results import print_data, write
    from cbctl.engine.canonical import plain

    if output is not Output.TEXT:
        print_data(plain(found), output)
        return
    write("".join(line + "\n" for line in told))


def _is_file(name: str) -> bool:
    """A release has no dot and no slash in its id."""
    try:
        return "/" in name or "." in name or Path(name).is_file()
    except OSError:  # no file has a name of this length
        return False


def plan_lines(found: PlanDiff) -> list[str]:
    from cbctl.render.clean import clean
    from cbctl.render.words import count

    told = []
    for name, side in (("A", found.a), ("B", found.b)):
        at = side["at"][:19].replace("T", " ")
        text = f"plan {side['plan'][:12]} of {side['environment']}  {at}  by {side['who']}"
        told.append(clean(f"{name}  {text}  {count(side['changes'], 'change')}"))
    told += ["", *_differences("made from", found.made_from)]
    for label, rows in (
        ("only in A", [d for d in found.changes if d.after is None]),
        ("only in B", [d for d in found.changes if d.before is None]),
        ("in both", [d for d in found.changes if d.before is not None and d.after is not None]),
    ):
        told += [clean(f"{label:<10} {d.what}{_values(d)}") for d in rows]
    if found.changes:
        told.append("")
    for text in found.means:
        told += _wrapped("means     ", text)
    return told


def _values(d: Difference) -> str:
    """What the one and the other would leave there, where both say it."""
    sides = [v.get("after") if isinstance(v, dict) else v for v in (d.before, d.after)]
    return f": {sides[0]} / {sides[1]}" if None not in sides else ""


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
