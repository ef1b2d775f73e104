"""`cbctl in-cluster`: what a Job of ours runs. Nobody types it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def in_cluster(
    folder: Annotated[Path, typer.Argument(help="The task.")],
) -> None:
    """Carry out one call of a step, as a Job that cbctl started does.

    Example: cbctl in-cluster /task
    """
    from cbctl.engine.world import Stop
    from cbctl.wiring.worker import own_store, work

    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request("the Job was told to end"))

    def write(line: bytes) -> None:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    raise typer.Exit(0 if work(folder, own_store, write, stop, os.environ) else 1)
