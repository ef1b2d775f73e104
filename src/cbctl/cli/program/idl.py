"""The program's IDL on chain: publish, fetch, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import (
    ClusterOption,
    ConfigOption,
    ConfirmOption,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    ProgramIdOption,
    WalletOption,
    YesOption,
)
from cbctl.cli.results import print_data, print_text, write
from cbctl.cli.step import Asked, run_step
from cbctl.errors import Exit

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The program's IDL on chain, where explorers and clients look: publish, fetch, compare.",
)
IdlOption = Annotated[
    Path | None, typer.Option("--idl", metavar="FILE", help="Without it, that of cbctl.yaml.")
]


@app.command()
def publish(
    idl: IdlOption = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    program_id: ProgramIdOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Publish the IDL with the Program Metadata program; nothing to do when it is there.

    Should it fail, the program itself is deployed and works all the same.

    Example: cbctl program idl publish --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    given = {"idl": idl and str(idl.absolute()), "wallet": wallet, "program_id": program_id}
    run_step(asked, "program.idl_publish", given)


@app.command()
def fetch(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to write it; else to stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    config: ConfigOption = None,
) -> None:
    """Read the IDL that is published on chain.

    Example: cbctl program idl fetch on-chain.json --env local
    """
    from cbctl.cli.keep import keep
    from cbctl.wiring.program import open_program

    with open_program(config, Asked(env, cluster, config).place, program_id) as there:
        text = there.published_idl()
    if file is None:
        write(text if text.endswith("\n") else f"{text}\n")
        return
    keep(file, text.encode(), lambda start: start.lstrip().startswith(b"{"), force)
    print_text(f"{file}: {len(text):,} bytes")


@app.command()
def diff(
    idl: IdlOption = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    program_id: ProgramIdOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """What differs between the published IDL and the file's, and what would break its readers.

    Leaves with 10 when they differ.

    Example: cbctl program idl diff --env local
    """
    from cbctl.wiring.program import open_program

    with open_program(config, Asked(env, cluster, config).place, program_id) as there:
        data = there.idl_differences(idl)
    if output is not Output.TEXT:
        print_data(data, output)
    elif data["same"]:
        print_text("the same")
    else:
        for line in data["breaks"]:
            print_text(f"! {line}")
        for line in data["added"]:
            print_text(f"+ {line}")
        if not (data["breaks"] or data["added"]):
            print_text("they describe the same; only texts differ")
    raise typer.Exit(Exit.DONE if data["same"] else Exit.DIFFERS)


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="idl")
