"""`cbctl program`: everything about the on-chain program.

One module for each part of an operator's work; what a module imports, every one of these commands
waits for.
"""

from __future__ import annotations

import typer

from cbctl.cli.program import build, control, deploy, handover, idl, keys, look

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Everything about the on-chain program: build, deploy, upgrade, look, pause, hand on.",
)
for part in (build, deploy, look, control, handover, idl, keys):
    part.add_to(app)
