"""`cbctl why`: one run explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, EnvOption, Output, OutputOption, RunArgument

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_NARROWEST, _WIDEST = 40, 100


@app.command()
def why(
    run: RunArgument,
    env: EnvOption = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it as one page that can be sent on."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a FILE that is not such a page.")
    ] = False,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Explain a run: what happened when, why it ended so, what changed, what to do next.

    Example: cbctl why last --env local --html why.html
    """
    import shutil

    from cbctl.cli.results import print_data, print_text, write
    from cbctl.cli.why_text import lines
    from cbctl.engine.canonical import plain
    from cbctl.report.why import explain
    from cbctl.wiring.workplace import open_workplace

    work = open_workplace(config, env)
    found = explain(work.store, run, work.env.name)
    if html is not None:
        from cbctl.cli.keep import keep
        from cbctl.report.why_page import is_ours

        keep(html, as_page(found), is_ours, force)
    if output is not Output.TEXT:
        print_data(plain(found), output)
    elif html is not None:
        print_text(f"{html}: run {found.run} explained (mode 0600)")
    else:
        columns = shutil.get_terminal_size((80, 24)).columns
        told = lines(found, min(max(columns, _NARROWEST), _WIDEST))
        write("".join(line + "\n" for line in told))


def as_page(found: object) -> bytes:
    from cbctl.cli.why_text import title
    from cbctl.render.clean import clean, evidence_lines
    from cbctl.render.words import change, duration
    from cbctl.report.why import Why
    from cbctl.report.why_page import Words, page

    assert isinstance(found, Why)
    words = Words(clean, duration, lambda made: change(made, 100), evidence_lines)
    return page(found, title(found), words).encode("utf-8", "replace")
