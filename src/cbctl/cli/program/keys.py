"""The program's keypairs: make, look, back up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import ClusterOption, ConfigOption, EnvOption, Output, OutputOption
from cbctl.cli.results import print_data, print_table, print_text
from cbctl.cli.step import Asked

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The program's keypairs: make, look, back up.",
)


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (mode 0600).")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a keypair file. One that is there is never replaced; its address is told.

    Example: cbctl program keys new ~/.config/platform/program.json
    """
    from cbctl.wiring.keys import new_keypair

    address, made = new_keypair(file)
    if output is not Output.TEXT:
        print_data({"file": str(file), "address": address, "made": made}, output)
    else:
        print_text(f"{address}  {file}{'' if made else ' (was there)'}")


@app.command()
def show(
    env: EnvOption = None,
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Show the addresses of the keypairs that cbctl.yaml names, never the keys.

    Example: cbctl program keys show --env local
    """
    from cbctl.wiring.keys import addresses
    from cbctl.wiring.program import opened

    rows = addresses(opened(config, Asked(env, cluster, config).place))
    if output is not Output.TEXT:
        print_data(rows, output)
    elif not rows:
        print_text("cbctl.yaml names no keypair here")
    else:
        print_table([{**row, "address": row["address"] or "not there yet"} for row in rows])


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (mode 0600).")],
    identity: Annotated[
        Path,
        typer.Option("--identity", metavar="FILE", help="age identity that opens it: the proof."),
    ],
    recipient: Annotated[
        str | None,
        typer.Option(
            "--recipient",
            metavar="AGE",
            help="Without it, that of cbctl.yaml, else the identity's.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Write all keypairs of cbctl.yaml into one file, encrypted with age, and prove that it opens.

    It is recorded when that was and whose keys are in it: mainnet-beta demands one that is not too
    old. Keys that stay in AWS KMS are not in it.

    Example: cbctl program keys backup keys.age --identity ~/age.txt --env local
    """
    from cbctl.cli.keep import check_replaceable
    from cbctl.wiring.keys import MAGIC
    from cbctl.wiring.keys import backup as write_backup
    from cbctl.wiring.program import opened

    check_replaceable(file, lambda start: start.startswith(MAGIC), force)
    work = opened(config, Asked(env, cluster, config).place)
    made = write_backup(work, file, recipient, identity)
    if output is not Output.TEXT:
        data = {"file": str(file), "keypairs": sorted(made.addresses), "restored": True}
        print_data({**data, "recipient": made.recipient, "sha256": made.sha256}, output)
    else:
        print_text(f"{file}: {', '.join(sorted(made.addresses))}; read again and opened")


def add_to(root: typer.Typer) -> None:
    root.add_typer(app, name="keys")
