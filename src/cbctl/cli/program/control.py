"""Pause and go on, room, money, authority, buffers, the end."""

from __future__ import annotations

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
from cbctl.cli.step import Asked, run_step
from cbctl.errors import CbctlError, Exit

_LAMPORTS = 1_000_000_000

ConfirmIdOption = Annotated[
    str | None, typer.Option("--confirm", metavar="ID", help="The program's id, typed.")
]


def pause(
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
    """Pause the program by its own instruction, as `program.pause` in cbctl.yaml says.

    Never held back by a freeze or any other policy; what was passed is recorded.

    Example: cbctl program pause --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    run_step(asked, "program.pause", {"wallet": wallet, "program_id": program_id})


def unpause(
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
    """Let a paused program go on, as `program.unpause` in cbctl.yaml says.

    Example: cbctl program unpause --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    run_step(asked, "program.unpause", {"wallet": wallet, "program_id": program_id})


def extend(
    capacity: Annotated[
        int | None,
        typer.Option(
            "--capacity", metavar="BYTES", min=1, help="Bytes that are to fit; without it, the ELF."
        ),
    ] = None,
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
    """Make room for a larger program. An upgrade that needs it does so by itself.

    Example: cbctl program extend --capacity 200000 --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    given = {"capacity": capacity, "wallet": wallet, "program_id": program_id}
    run_step(asked, "program.extend", given)


def close(
    recipient: Annotated[
        str | None,
        typer.Option(
            "--recipient", metavar="ADDRESS", help="Who gets the rent; without it, the wallet."
        ),
    ] = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    program_id: ProgramIdOption = None,
    plan: PlanOption = False,
    confirm: ConfirmIdOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Close the program for ever. Its address can never be used again, and its id has to be typed.

    Example: cbctl program close --env local
    """
    asked = Asked(env, cluster, config, plan, False, confirm, output, events)
    given = {"recipient_address": recipient, "wallet": wallet, "program_id": program_id}
    run_step(asked, "program.close", given, typed="closing for ever of")


def airdrop(
    sol: Annotated[
        str, typer.Argument(metavar="SOL", help="What the wallet is to have at least: 2, 0.5.")
    ] = "2",
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Fill the wallet up from the faucet; nothing happens when it has as much already.

    Example: cbctl program airdrop 2 --cluster devnet --wallet id.json
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    run_step(asked, "program.airdrop", {"lamports": _lamports(sol), "wallet": wallet})


def _lamports(sol: str) -> int:
    """Exact: no floating point number is ever money."""
    import re

    amount = 0
    if found := re.fullmatch(r"([0-9]{0,11})(?:\.([0-9]{0,9}))?", sol):
        amount = int(found[1] or 0) * _LAMPORTS + int((found[2] or "").ljust(9, "0"))
    if not 0 < amount < 1 << 64:
        raise CbctlError(
            f"{sol[:40]!r} is no amount of SOL",
            exit=Exit.USAGE,
            fix="a positive number with at most nine decimals, such as 2 or 0.5",
        )
    return amount


authority = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Who may upgrade the program: look, hand on.",
)


@authority.command("set")
def set_(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="ADDRESS", help="The new one; none: immutable, for ever."),
    ] = None,
    to_wallet: Annotated[
        str | None,
        typer.Option(
            "--to-wallet",
            metavar="WALLET",
            help="The new one's wallet: it signs too, so it exists.",
        ),
    ] = None,
    multisig: Annotated[
        str | None,
        typer.Option(
            "--multisig", metavar="ADDRESS", help="The Squads multisig whose vault it is."
        ),
    ] = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    program_id: ProgramIdOption = None,
    plan: PlanOption = False,
    confirm: ConfirmIdOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Hand the upgrade authority on. Only the new one can give it back: the id has to be typed.

    An address that no key belongs to is refused, unless it is proved to be a multisig's vault.

    Example: cbctl program authority set --to-wallet new.json --env local
    """
    from cbctl.cli.step import wallet_text

    if (to is None) == (to_wallet is None):
        raise CbctlError(
            "who is to be the new authority?",
            exit=Exit.USAGE,
            fix="--to ADDRESS, --to none, or --to-wallet WALLET; one of them",
        )
    asked = Asked(env, cluster, config, plan, False, confirm, output, events)
    given = {
        "to": to,
        "to_wallet": None if to_wallet is None else wallet_text(to_wallet),
        "multisig": multisig,
        "wallet": wallet,
        "program_id": program_id,
    }
    words = "making immutable of" if to == "none" else "handing on of"
    run_step(asked, "program.authority_set", given, typed=words)


buffers = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Buffers that deploys have left: look, close.",
)


@buffers.command("close")
def close_buffers(
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="BUFFER", help="Their addresses; without any, all."),
    ] = None,
    env: EnvOption = None,
    cluster: ClusterOption = None,
    wallet: WalletOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    confirm: ConfirmOption = None,
    output: OutputOption = Output.TEXT,
    events: EventsOption = Events.NONE,
    config: ConfigOption = None,
) -> None:
    """Close the wallet's buffers and get their lamports back.

    A deploy that was interrupted goes on with its buffer, so let it go on instead if you can.

    Example: cbctl program buffers close --env local
    """
    asked = Asked(env, cluster, config, plan, yes, confirm, output, events)
    given = {"buffers": list(addresses or ()) or None, "wallet": wallet}
    run_step(asked, "program.buffers_close", given)


def add_to(app: typer.Typer) -> None:
    for command in (pause, unpause, extend, close, airdrop):
        app.command()(command)
    app.add_typer(authority, name="authority")
    app.add_typer(buffers, name="buffers")
