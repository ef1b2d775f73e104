"""`cbctl runs`: past and interrupted runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption
from cbctl.cli.results import print_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look at past and interrupted runs.",
)


@app.command("list")
def list_(
    env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """List the runs of an environment, newest last.

    Example: cbctl runs list --env local --output json
    """
    from cbctl.cli.results import print_data, print_table
    from cbctl.report.runs import summaries
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    found = summaries(work.store)
    if output is not Output.TEXT:
        print_data(found, output)
        return
    if not found:
        print_text(f"{work.env.name}: no run yet")
        return
    rows = [{**r, "started": str(r["started"])[:19]} for r in found]
    print_table(rows, ("run", "kind", "result", "changes", "started", "who"))


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or `last`.")],
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the journal of a run, its chain of hashes checked.

    Example: cbctl runs show last --env local
    """
    from cbctl.cli.results import print_data
    from cbctl.report.runs import journal_of
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    records = journal_of(work.store, run)
    if output is not Output.TEXT:
        print_data(records, output)
        return
    for record in records:
        print_text(f"{record['at'][11:23]}  {record['type']:<16}  {_line(record['data'])}")
    print_text(f"{len(records)} records since {records[0]['at']}, all hashes match")


def _line(data: dict[str, Any]) -> str:
    """The few words of a record that a person looks for."""
    from cbctl.render.clean import clean

    wanted = ("step", "kind", "environment", "who", "result", "error", "reason", "id", "phase")
    parts = [f"{name}={data[name]}" for name in wanted if data.get(name)]
    changes = data.get("changes") or []
    if changes:
        parts.append("changes: " + ", ".join(str(c.get("what")) for c in changes))
    return clean("  ".join(parts))
