"""`cbctl completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cbctl.cli.results import write

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="Shell to complete in.")],
) -> None:
    """Print the script that completes commands, environments and options in a shell.

    Example: cbctl completion bash > ~/.local/share/bash-completion/completions/cbctl
    """
    from typer._completion_shared import get_completion_script

    made = get_completion_script(
        prog_name="cbctl", complete_var="_CBCTL_COMPLETE", shell=shell.value
    )
    write(made + "\n")
