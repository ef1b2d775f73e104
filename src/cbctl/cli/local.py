"""`cbctl local`: the services of the local platform, one by one or all."""

from __future__ import annotations

from typing import Annotated

import typer

from cbctl.cli.options import ConfigOption, LocalEnvOption, YesOption
from cbctl.cli.results import print_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Logs, restart, stop and reset of the local platform.",
)

ServiceArgument = Annotated[
    list[str] | None, typer.Argument(metavar="SERVICE", help="Services; without any, all.")
]


@app.command()
def logs(
    service: ServiceArgument = None,
    env: LocalEnvOption = None,
    config: ConfigOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the last lines of the services' logs.

    Example: cbctl local logs api --follow
    """
    from functools import partial

    from cbctl.local.services import Services
    from cbctl.machine import Threads
    from cbctl.wiring.workplace import local_name, open_workplace

    work = open_workplace(config, local_name(config, env))
    services = Services(work.state)
    names = service or [p.name for p in services.status()]
    over: list[str] = []
    threads = Threads(len(names) or 1)

    def print_log(name: str) -> None:
        prefix = f"{name:<10}" if len(names) > 1 else ""
        for line in services.logs(name, lines=lines, follow=follow, stop=lambda: bool(over)):
            if not print_text(prefix + work.world.scrub(line)):
                over.append("nobody reads")
                return

    if not follow:
        for name in names:
            print_log(name)
        return
    try:
        printing = [threads.submit(partial(print_log, name)) for name in names]
        while printing:
            for task in threads.wait(printing):
                printing.remove(task)
                task.result()
    finally:
        over.append("Ctrl-C")


@app.command()
def restart(
    service: ServiceArgument = None, env: LocalEnvOption = None, config: ConfigOption = None
) -> None:
    """Restart services exactly as the current release runs them, and wait until they are ready.

    Example: cbctl local restart api
    """
    from cbctl.wiring.services import restart_services
    from cbctl.wiring.workplace import local_name, open_workplace

    work = open_workplace(config, local_name(config, env))
    for name in restart_services(work, service or []):
        print_text(f"{name}: restarted, ready")


@app.command()
def down(env: LocalEnvOption = None, config: ConfigOption = None) -> None:
    """Stop everything; data stays, and `cbctl deploy` starts it again.

    Example: cbctl local down
    """
    from cbctl.wiring.services import stop_services
    from cbctl.wiring.workplace import existing_workplace, local_name

    if (work := existing_workplace(config, local_name(config, env))) is None:
        print_text("nothing was running")
        return
    stopped = stop_services(work)
    print_text("stopped: " + ", ".join(stopped) if stopped else "nothing was running")


@app.command()
def reset(env: LocalEnvOption = None, config: ConfigOption = None, yes: YesOption = False) -> None:
    """Stop everything and remove all local data: databases, chain, keys, releases, runs.

    Example: cbctl local reset --yes
    """
    from cbctl.cli.ask import confirm
    from cbctl.wiring.services import reset_state
    from cbctl.wiring.workplace import existing_workplace, local_name

    if (work := existing_workplace(config, local_name(config, env))) is None:
        print_text("there is nothing to remove")
        return
    confirm(f"Remove all local data in {work.state.path}?", yes)
    reset_state(work)
    print_text(f"removed {work.state.path}")
