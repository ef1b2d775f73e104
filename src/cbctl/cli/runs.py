"""`cbctl runs`: past, interrupted and present runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cbctl.cli.options import (
    ConfigOption,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    RunArgument,
    complete_runs,
)
from cbctl.cli.results import print_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look at runs that ended, were interrupted or go on.",
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
    if running := next((r["run"] for r in found if r["result"] == "running"), None):
        print_text(f"\nwatch it: cbctl runs attach {running} --env {work.env.name}")


@app.command()
def attach(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Id of a run, or `last`; without it, the one that goes on, else the newest.",
            autocompletion=complete_runs,
        ),
    ] = None,
    env: EnvOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Watch a run that was started elsewhere, or whose terminal is gone, to its end.

    What happened so far is shown first. The exit code is that of the run. Ctrl-C only leaves
    (exit 8); the run goes on.

    Example: cbctl runs attach --env local
    """
    from cbctl.cli.attach import attach as watch

    watch(config, env, run, output, events)


@app.command()
def show(
    run: RunArgument,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the journal of a run, its chain of hashes checked.

    Example: cbctl runs show last --env local
    """
    from cbctl.cli.results import print_data
    from cbctl.local.runlogs import RunLogs
    from cbctl.report.runs import find, going_on, journal_of
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    run = find(work.store, run, work.env.name)
    records = journal_of(work.store, run)
    if output is not Output.TEXT:
        print_data(records, output)
        return
    for record in records:
        print_text(f"{record['at'][11:23]}  {record['type']:<16}  {_line(record['data'])}")
    print_text(f"{len(records)} records since {records[0]['at']}, all hashes match")
    if (log := RunLogs(work.state).lines(run)).exists():
        print_text(f"in plain lines: {log}")
    if going_on(work.store) == run:
        print_text(f"it goes on: cbctl runs attach {run} --env {work.env.name}")


def _line(data: dict[str, Any]) -> str:
    """The few words of a record that a person looks for."""
    from cbctl.render.clean import clean

    wanted = (
        *("step", "kind", "environment", "who", "result", "error", "what", "reason", "id"),
        "phase",
    )
    parts = [f"{name}={data[name]}" for name in wanted if data.get(name)]
    changes = data.get("changes") or []
    if changes:
        parts.append("changes: " + ", ".join(str(c.get("what")) for c in changes))
    return clean("  ".join(parts))
