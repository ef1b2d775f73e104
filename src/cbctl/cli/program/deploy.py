"""Bring the program on chain, up to date, back, and to its first configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import (
    ClusterOption,
    ConfigOption,
    ConfirmOption,
    ElfOption,
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
from cbctl.cli.step import Asked, run_step, wallet_text

ExportOption = Annotated[
    Path | None,
    typer.Option(
        "--export", metavar="FILE", help="For the transaction that a multisig has to sign."
    ),
]


def deploy(
    elf: ElfOption = None,
    keypair: Annotated[
        str | None,
        typer.Option(
            "--keypair", metavar="WALLET", help="Keypair of the program's address, if it is new."
        ),
    ] = None,
    max_len: Annotated[
        int | None,
        typer.Option("--max-len", metavar="BYTES", min=1, help="Room to make at the first deploy."),
    ] = None,
    abort: Annotated[
        bool,
        typer.Option(
            "--abort", help="Give up a deploy that was begun: its buffer's money comes back."
        ),
    ] = False,
    export: ExportOption = None,
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
    """Bring the file on chain: a first deploy, an upgrade, or nothing when the bytes are there.

    Interrupted anywhere, it goes on with what it wrote: run it again, or `cbctl resume`.

    Example: cbctl program deploy --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    given = {
        "elf": _absolute(elf),
        "program_keypair": keypair and wallet_text(keypair),
        "export": _absolute(export),
        "wallet": wallet,
        "program_id": program_id,
    }
    if abort:
        run_step(asked, "program.abort", given)
    else:
        run_step(asked, "program.deploy", {**given, "max_len": max_len})


def upgrade(
    elf: ElfOption = None,
    idl: Annotated[
        Path | None, typer.Option("--idl", metavar="FILE", help="Without it, that of cbctl.yaml.")
    ] = None,
    breaking: Annotated[
        bool,
        typer.Option(
            "--breaking", help="Even where a reader of the former IDL, such as the API, fails then."
        ),
    ] = False,
    export: ExportOption = None,
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
    """Upgrade a program that is there; never a first deploy by mistake.

    Refused where what was made for the former IDL could not read or call the new program.

    Example: cbctl program upgrade --elf target/deploy/program.so --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    from cbctl.wiring.program import open_program

    with open_program(config, asked.place, program_id) as there:
        former = None if breaking else there.api_idl()
    given = {
        "elf": _absolute(elf),
        "idl": _absolute(idl),
        "api_idl": former,
        "export": _absolute(export),
        "wallet": wallet,
        "program_id": program_id,
    }
    run_step(asked, "program.upgrade", given)


def init(
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
    """Write the program's first configuration, as `program.initialize` in cbctl.yaml says.

    Again with the same values there is nothing to do; with others each difference is shown.

    Example: cbctl program init --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    run_step(asked, "program.init", {"wallet": wallet, "program_id": program_id})


def rollback(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="HASH", help="The kept program whose hash begins so."),
    ] = None,
    export: ExportOption = None,
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
    """Bring the program back to the one before, from what was kept when it was replaced.

    It is an upgrade back, never made by itself; refused where the one before could not read the
    accounts that this one has written.

    Example: cbctl program rollback --env local
    """
    from cbctl.wiring.program import open_program

    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    with open_program(config, asked.place, program_id) as there:
        chosen = there.way_back(to)
    given = {**chosen, "export": _absolute(export), "wallet": wallet, "program_id": program_id}
    run_step(asked, "program.rollback", given)


def _absolute(file: Path | None) -> str | None:
    return None if file is None else str(file.absolute())


def add_to(app: typer.Typer) -> None:
    for command in (deploy, upgrade, rollback, init):
        app.command()(command)
