"""The command table. Nothing heavy is imported here: a command's module is, when it is used."""

from __future__ import annotations

import difflib
import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cbctl import __version__

# name → (module below cbctl.cli, one line of help), in the order of an operator's day
COMMANDS: dict[str, tuple[str, str]] = {
    "deploy": ("deploy", "Bring an environment to what the configuration says"),
    "rollback": ("rollback", "Go back to the newest healthy release before this one"),
    "resume": ("resume", "Go on with a run that was interrupted"),
    "status": ("status", "What runs where, in which version"),
    "health": ("health", "Whether every part works (exit 10 when not)"),
    "releases": ("releases", "What was deployed and verified, newest last"),
    "diff": ("diff", "What differs between two releases or saved plans"),
    "runs": ("runs", "Look at past runs, and watch one that goes on"),
    "why": ("why", "Explain a run: timeline, cause, evidence, what to do next"),
    "audit": ("audit", "Who did what when, and whether the journals were changed since"),
    "freeze": ("freeze", "Hold back deploys of an environment"),
    "unfreeze": ("unfreeze", "Lift the freeze of an environment"),
    "approve": ("approve", "Approve a plan that somebody else carries out"),
    "lock": ("lock", "See who holds an environment's lock, or break it"),
    "local": ("local", "Logs, restart, stop and reset of the local platform"),
    "localnet": ("localnet", "A Solana network on this machine, of its own or under `local`"),
    "program": ("program", "Everything about the on-chain program: deploy, upgrade, look, pause"),
    "api": ("api", "The service on Kubernetes: build, push, roll out, look, go back, scale"),
    "db": ("db", "The database: schema, migrations, backups"),
    "env": ("env", "Record who the target of an environment is"),
    "secrets": ("secrets", "Secrets on Kubernetes: look, write, hand over; values are never shown"),
    "config": ("config", "Check, show and describe cbctl.yaml"),
    "completion": ("completion", "Print the script that completes commands in a shell"),
}

INNER: dict[str, tuple[str, str]] = {
    "in-cluster": ("in_cluster", "Carry out one call of a step, in a Job"),
}
"""Commands that only cbctl itself runs; no help lists them."""


class Lazy(TyperGroup):
    """Knows every command by name and imports only the one that is run."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS and cmd_name not in INNER:
            return None
        module, summary = COMMANDS.get(cmd_name) or INNER[cmd_name]
        # a group's help and the completion of its first word ask for every command
        if self._listing or (ctx.resilient_parsing and not _completes_below(ctx, cmd_name)):
            return TyperCommand(cmd_name, help=summary, short_help=summary)
        loaded = typer.main.get_command(importlib.import_module(f"cbctl.cli.{module}").app)
        loaded.name = cmd_name
        return loaded

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in {*COMMANDS, *INNER}:
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f"Did you mean '{near[0]}'?" if near else "There are: " + ", ".join(COMMANDS)
            ctx.fail(f"No such command '{args[0]}'. {hint}")
        return super().resolve_command(ctx, args)


def _completes_below(ctx: Any, name: str) -> bool:
    """While completing: whether the words typed so far go beyond this command's name."""
    return name in [*getattr(ctx, "_protected_args", []), *ctx.args]


app = typer.Typer(
    cls=Lazy,
    name="cbctl",
    no_args_is_help=True,
    add_completion=False,  # its two options would import pydantic; see `cbctl completion`
    rich_markup_mode=None,  # rich help costs 200 ms
    pretty_exceptions_enable=False,  # its tracebacks print local variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cbctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Deploys, rolls back and operates a Solana platform.

    On a new machine: cbctl deploy local
    """
