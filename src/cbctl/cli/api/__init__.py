"""`cbctl api`: the service on Kubernetes."""

from __future__ import annotations

import typer

from cbctl.cli.api import change, image, look

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="The service on Kubernetes: build, push, roll out, look, go back, scale, restart.",
)
for part in (image, change, look):
    part.add_to(app)
