"""`cbctl db shell`."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, ConfirmOption, EnvOption


def shell(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="For psql itself.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="As the owner of the schema, who may change something.")
    ] = False,
    env: EnvOption = None,
    confirm: ConfirmOption = None,
    config: ConfigOption = None,
) -> None:
    """Open psql on the database, its password in no command line and no variable.

    Read-only where the environment is protected or `database.roles.readonly` is set, until --write.
    What comes after `--` is for psql.

    Example: cbctl db shell --env production
    """
    from cbctl.cli.ask import confirm_name
    from cbctl.wiring.database import shell as opened

    def agree(name: str) -> None:
        confirm_name(f"a shell that may change {name}", name, confirm)

    def say(text: str) -> None:
        typer.echo(text, err=True)

    raise typer.Exit(opened(config, env, words or (), write=write, agree=agree, say=say))


def add_to(app: typer.Typer) -> None:
    app.command()(shell)
