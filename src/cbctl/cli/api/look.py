"""Commands that only look: status, history, logs."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption
from cbctl.cli.results import print_data, print_table, print_text

_SHORT = 12  # characters of a digest


def status(
    env: EnvOption = None, output: OutputOption = Output.TEXT, config: ConfigOption = None
) -> None:
    """Show what runs, in which version, and whether its last rollout came to its end.

    Example: cbctl api status --env staging --output json
    """
    from cbctl.wiring.api import opened

    with opened(config, env) as there:
        data = there.status()
    if output is not Output.TEXT:
        print_data(data, output)
        return
    where = f"{data['context']}/{data['namespace']}"
    print_text(f"{data['deployment']} in {where}: {data['state']}, revision {data['revision']}")
    for name, image in data["images"].items():
        print_text(f"  {name:<10} {image}")
    counts = f"{data['available']} of {data['wanted']} available, {data['updated']} new"
    print_text(f"  {'pods':<10} {counts}")
    if data["override"] is not None:
        said = f"at least {data['override']} pods, until cbctl api scale --reset"
        print_text(f"  {'override':<10} {said}")
    if data["left"] is not None:
        said = (
            f"{data['left']['deployment']}, {data['left']['available']} available: cbctl api undo"
        )
        print_text(f"  {'left':<10} {said} returns at once, cbctl api finish removes it")
    rows = [
        {
            "pod": one["name"],
            "state": one["state"],
            "ready": "yes" if one["ready"] else "no",
            "version": "new" if one["new"] else "old",
            "restarts": one["restarts"],
            "node": one["node"],
            "wrong": one["wrong"] or "",
        }
        for one in data["pods"]
    ]
    print_table(rows)


def history(
    env: EnvOption = None, output: OutputOption = Output.TEXT, config: ConfigOption = None
) -> None:
    """Show the cluster's revisions, oldest first, and what cbctl's runs found of each.

    Example: cbctl api history --env staging
    """
    from cbctl.wiring.api import opened

    with opened(config, env) as there:
        data = there.history()
    if output is not Output.TEXT:
        print_data(data, output)
        return
    rows = [
        {
            "revision": one["revision"],
            "made": one["made"],
            "images": " ".join(_short(image) for image in one["images"]),
            "state": f"{one['state']}, runs" if one["runs"] else one["state"],
            "run": one["run"] or "",
            "by": one["by"] or "",
        }
        for one in data
    ]
    print_table(rows)


def _short(image: str) -> str:
    name, at, digest = image.rpartition("@sha256:")
    return f"{name.rpartition('/')[2]}@{digest[:_SHORT]}" if at else image


def logs(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with every new line.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=1, help="Last lines of each pod.")
    ] = 50,
    previous: Annotated[
        bool, typer.Option("--previous", help="Of the containers before their last restart.")
    ] = False,
    env: EnvOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the last lines of each pod, and with --follow every new one.

    Example: cbctl api logs --follow --env staging
    """
    from cbctl.wiring.api import opened

    with opened(config, env) as there:
        try:
            for pod, line in there.logs(lines, follow=follow, previous=previous):
                if not print_text(f"{pod}  {line}"):
                    return
        except KeyboardInterrupt:  # how a person ends it
            return


def add_to(app: typer.Typer) -> None:
    for command in (status, history, logs):
        app.command()(command)
