"""`cbctl api`: the service on Kubernetes."""

from __future__ import annotations

import typer

from cbctl.cli.api import change, look

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The service on Kubernetes: roll out, look, go back, scale, restart.",
)
for part in (change, look):
    part.add_to(app)
