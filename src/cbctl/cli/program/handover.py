"""The upgrade authority handed on where the new one's key is elsewhere: offer, accept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import (
    ClusterOption,
    ConfigOption,
    EnvOption,
    Events,
    EventsOption,
    Output,
    OutputOption,
    PlanOption,
    ProgramIdOption,
    WalletOption,
)
from cbctl.cli.program.control import ConfirmIdOption, authority
from cbctl.cli.step import Asked, run_step


def offer(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (mode 0600).")],
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="The new authority, which accepts it.")
    ],
    nonce: Annotated[
        str | None,
        typer.Option(
            "--nonce",
            metavar="ACCOUNT",
            help="A nonce account of the wallet's; without it, the offer expires in a minute.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
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
    """Offer the upgrade authority to somebody whose key is elsewhere. Nothing changes by that.

    It is a transaction that hands the authority on and does nothing else, half-signed: in FILE, and
    printed as base64. Who holds the other key completes it with `authority accept`.

    Example: cbctl program authority offer offer.json --to 7Xcd… --env local --confirm 9Abc…
    """
    from cbctl.cli.keep import check_replaceable
    from cbctl.wiring.offers import is_offer

    check_replaceable(file, is_offer, force)
    asked = Asked(env, cluster, config, plan, False, confirm, output, events)
    given = {
        "file": str(file.absolute()),
        "to": to,
        "nonce": nonce,
        "wallet": wallet,
        "program_id": program_id,
    }
    run_step(asked, "program.authority_offer", given, typed="offering of")


def accept(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The offer; - for standard input.")],
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
    """Accept an offer of the upgrade authority: sign it with the new one's wallet, and send it.

    Each byte is looked at first; what is more than this one hand-over is not signed. The id has to
    be typed.

    Example: cbctl program authority accept offer.json --wallet new.json --env local
    """
    from cbctl.wiring.offers import offered

    asked = Asked(env, cluster, config, plan, False, confirm, output, events)
    given = {"offer": offered(file), "wallet": wallet, "program_id": program_id}
    run_step(asked, "program.authority_accept", given, typed="accepting the authority of")


def add_to(_: typer.Typer) -> None:
    for command in (offer, accept):
        authority.command()(command)
