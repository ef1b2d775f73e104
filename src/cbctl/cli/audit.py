"""`cbctl audit`: who did what when, and whether the journals still say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption
from cbctl.cli.results import print_text, write
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.report.audit_check import Checked
    from cbctl.report.audit_copy import Copy

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Who did what when, and whether the journals were changed since.",
)

HeadsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--head",
        metavar="[RUN:]COUNT:HASH",
        help="An end that was carried elsewhere, as a notification has it (repeatable).",
    ),
]
HeadFileOption = Annotated[
    Path | None,
    typer.Option(
        "--head-file",
        metavar="FILE",
        help="The same from a notification, an export, or lines of COUNT:HASH.",
    ),
]


@app.command("list")
def list_(
    env: EnvOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="2026-11-22, 2026-11-22T19:30 (UTC), or 90m, 24h, 7d."
        ),
    ] = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="NAME", help="Only what this person did.")
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List runs, resumes, broken locks, marks, freezes and approvals, oldest first.

    Example: cbctl audit list --env local --since 7d
    """
    from cbctl.cli.results import print_data, print_table
    from cbctl.cli.times import since as begin_of
    from cbctl.engine.canonical import plain
    from cbctl.engine.policy import person
    from cbctl.report.audit import entries
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    begin = "" if since is None else begin_of(since, work.world.clock.wall())
    found = [
        e
        for e in entries(work.store, work.env.name)
        if e.at >= begin and (who is None or who in (e.who, person(e.who)))
    ]
    if output is not Output.TEXT:
        print_data([plain(e) for e in found], output)
        return
    if not found:
        print_text(f"{work.env.name}: nothing was done" + (" in that time" if since else ""))
        return
    rows: list[dict[str, Any]] = [
        {
            "at": e.at[:19].replace("T", " "),
            "who": e.who,
            "environment": e.environment,
            "what": e.what,
            "result": f"{e.result}, {e.release}" if e.result and e.release else e.result,
            "run": e.run,
            "because": e.reason,
        }
        for e in found
    ]
    print_table(rows)


@app.command()
def verify(
    env: EnvOption = None,
    head: HeadsOption = None,
    head_file: HeadFileOption = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Check an export instead of what is here."),
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check the journals: every chain, every link between runs, every release (exit 10 when not).

    Whoever owns the files can rewrite all of them alike. Only an end that was kept elsewhere, given
    with --head or --head-file, shows that.

    Example: cbctl audit verify --env local --head-file notification.json
    """
    from cbctl.cli.results import print_data
    from cbctl.engine.canonical import plain
    from cbctl.report.audit_check import verify as check
    from cbctl.report.audit_copy import parse_head, read_copy, read_heads

    heads = [parse_head(text) for text in head or []]
    heads += read_heads(head_file) if head_file else []
    checked = check(read_copy(file) if file else _here(config, env), heads)
    if output is not Output.TEXT:
        data = plain(checked)
        assert isinstance(data, dict)
        print_data({"holds": not checked.findings, **data}, output)
    else:
        print_text("\n".join(lines(checked, str(file) if file else "")))
    raise typer.Exit(Exit.DIFFERS if checked.findings else Exit.DONE)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Without it, standard output.")
    ] = None,
    env: EnvOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a FILE that is not such an export.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write all journals and their ends as one NDJSON stream, to be kept elsewhere.

    It holds no secrets, and is checked with: cbctl audit verify --file FILE

    Example: cbctl audit export audit.ndjson --env local
    """
    from cbctl import __version__
    from cbctl.cli.keep import keep
    from cbctl.engine.clock import stamp
    from cbctl.machine import SystemClock
    from cbctl.report.audit_check import verify as check
    from cbctl.report.audit_copy import MARK, written

    copied = _here(config, env)
    made = written(copied, stamp(SystemClock().wall()), f"cbctl {__version__}")
    if file is None:
        write("".join(made))
    else:
        keep(file, "".join(made).encode(), lambda start: MARK.encode() in start[:100], force)
        print_text(f"{file}: {copied.records} records of {len(copied.streams)} journals")
    if check(copied).findings:
        raise CbctlError(
            "the journals do not hold; they were exported as they are",
            exit=Exit.DIFFERS,
            fix=f"cbctl audit verify --env {copied.environment}",
        )


def lines(checked: Checked, file: str) -> list[str]:
    """What was checked, what does not hold, and what to keep."""
    from cbctl.render.words import count
    from cbctl.report.audit_check import newest

    name = file or checked.environment
    bad = len(checked.findings)
    told = [f"{name}: {count(bad, 'fault')} found" if bad else f"{name}: the journals hold"]
    told += [
        "checked   "
        + ", ".join(
            (
                count(checked.runs, "run"),
                count(checked.records, "record"),
                count(checked.links, "link"),
                count(checked.releases, "release"),
                count(checked.heads, "head"),
            )
        )
    ]
    for finding in checked.findings:
        told += ["", f"place     {finding.where}", f"fault     {finding.what}"]
        told.append(f"means     {finding.means}")
    told.append("")
    for name in checked.unheld:
        told.append(f"open      {name}: nothing here names its last record")
    ends = newest(checked.ends)
    for label, head in zip(("keep", *[""] * len(ends)), ends, strict=False):
        told.append(f"{label:<10}--head {head.stream}:{head.count}:{head.hash}")
    return told


def _here(config: str | None, env: str | None) -> Copy:
    from cbctl.report.audit_copy import copy
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    return copy(work.store, work.env.name)
