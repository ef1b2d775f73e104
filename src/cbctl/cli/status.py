"""`cbctl status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text
from cbctl.errors import CbctlError

if TYPE_CHECKING:
    from cbctl.wiring.workplace import Workplace

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def status(
    env: EnvArgument = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show the parts of an environment: state, version, address, and which release runs.

    Example: cbctl status local --output json
    """
    from cbctl.cli.results import print_data
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    data = gathered(work)
    if output is not Output.TEXT:
        print_data(data, output)
        return
    print_status(work, data)


def gathered(work: Workplace) -> dict[str, Any]:
    """{environment, release, running, open_run, frozen, parts}

    running   id of the run that goes on
    open_run  id of an interrupted or failed run that can be resumed
    frozen    {who, at, reason, until} while deploys are held back
    fault     why it cannot be said whether they are
    parts     [{name, state, version, url, detail}], none where nothing can be asked"""
    from cbctl.engine import release
    from cbctl.engine.canonical import plain
    from cbctl.engine.past import open_run
    from cbctl.report.runs import going_on
    from cbctl.wiring.policy import frozen
    from cbctl.wiring.status import parts

    freeze, fault = None, None
    try:
        freeze = frozen(work)
    except CbctlError as error:  # what runs is told all the same
        fault = str(error)
    current = release.current(release.history(work.store))
    running, open_one = going_on(work.store), open_run(work.store)
    return {
        "environment": work.env.name,
        "release": current.id if current else None,
        "running": running or None,
        "open_run": open_one if open_one != running else None,
        "frozen": plain(freeze),
        "fault": fault,
        "parts": [plain(p) for p in parts(work, current)],
    }


def print_status(work: Workplace, data: dict[str, Any]) -> None:
    from cbctl.cli.results import print_table
    from cbctl.wiring.stores import place_of

    columns = ["name", "state", "version", "url"]
    if any(p["detail"] for p in data["parts"]):
        columns.append("detail")
    if data["parts"]:
        print_table(data["parts"], columns)
    else:
        name = work.env.name
        print_text(
            f"of {name} this cbctl looks at the program only: cbctl program show --env {name}"
        )
    release = data["release"] or "none yet"
    print_text(f"\nrelease: {release}   state: {place_of(work.env, work.state.path)}")
    if data["fault"]:
        print_text(f"whether it is frozen cannot be said: {data['fault']}")
    if freeze := data["frozen"]:
        until = f" until {freeze['until'][:16].replace('T', ' ')} UTC" if freeze["until"] else ""
        print_text(f"frozen{until} by {freeze['who']}: {freeze['reason']}")
    if data["running"]:
        print_text(
            f"run {data['running']} goes on: "
            f"cbctl runs attach {data['running']} --env {work.env.name}"
        )
    if data["open_run"]:
        print_text(
            f"run {data['open_run']} did not end: cbctl resume {data['open_run']} "
            f"--env {work.env.name}, or deploy again"
        )
