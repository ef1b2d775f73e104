"""`cbctl localnet`: a Solana network on this machine, with or without a `cbctl.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cbctl.cli.options import ConfigOption, Output, OutputOption, YesOption
from cbctl.cli.results import print_text
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.wiring.localnet import Localnet
    from cbctl.wiring.workplace import Workplace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="A Solana network on this machine: run it, look at it, move its clock, go back in it.",
)
clock = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Move the clock of a localnet: its slots and the time that programs see.",
)
app.add_typer(clock, name="clock")

_GENESIS = " A new chain starts with it; a known one refuses another."
_SEVERAL = {"bpf_program": 2, "upgradeable_program": 3, "account": 2}


class _Run(TyperCommand):
    """Knows options that take several words, again and again: typer has no type for them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in self.params:
            option.nargs = _SEVERAL.get(str(option.name), option.nargs)


StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="DIR", help="Its state folder; without it, .localnet in cbctl's own."
    ),
]
EnvOption = Annotated[
    str | None,
    typer.Option("--env", "-e", metavar="ENV", help="The localnet under this environment."),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The localnet that answers there."),
]


@app.command(cls=_Run)
def run(
    state: StateOption = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65534, help="RPC; the WebSocket has the next one.")
    ] = 8899,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Where to listen, without it this machine only. Open to the network, whoever "
            "reaches it may use and change the chain, and the commands below do not work.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A name besides localhost by which clients may come (repeatable).",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="URL",
            help="A web page's origin that may use it from a browser (repeatable).",
        ),
    ] = None,
    slot_ms: Annotated[
        int | None,
        typer.Option(
            "--slot-ms", min=1, max=60_000, help="Length of a slot, without it 200." + _GENESIS
        ),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="ID",
            help="Activate a feature that mainnet has not (repeatable)." + _GENESIS,
        ),
    ] = None,
    deactivate_feature: Annotated[
        list[str] | None,
        typer.Option(
            "--deactivate-feature",
            metavar="ID",
            help="Leave out a feature that mainnet has (repeatable)." + _GENESIS,
        ),
    ] = None,
    bpf_program: Annotated[
        list[Any] | None,
        typer.Option(
            "--bpf-program",
            metavar="ADDRESS FILE.so",
            help="A program that nobody can upgrade (repeatable)." + _GENESIS,
        ),
    ] = None,
    upgradeable_program: Annotated[
        list[Any] | None,
        typer.Option(
            "--upgradeable-program",
            metavar="ADDRESS FILE.so AUTHORITY",
            help="A program and who may upgrade it (repeatable)." + _GENESIS,
        ),
    ] = None,
    account: Annotated[
        list[Any] | None,
        typer.Option(
            "--account",
            metavar="ADDRESS FILE.json",
            help="An account as `solana account --output json` writes it; - for the address in "
            "the file (repeatable)." + _GENESIS,
        ),
    ] = None,
) -> None:
    """Run a localnet in the foreground until Ctrl-C. Started again, the chain goes on.

    Examples:

    cbctl localnet run

    cbctl localnet run --state ./chain --bpf-program 7Xcd… target/deploy/program.so
    """
    import os
    import sys

    from cbctl.wiring.localnet import daemon, default_folder

    given: dict[str, list[Any] | None] = {
        "--port": [(str(port),)],
        "--host": [(host,)] if host is not None else None,
        "--slot-ms": [(str(slot_ms),)] if slot_ms is not None else None,
        "--allow-host": [(name,) for name in allow_host or ()],
        "--allow-origin": [(origin,) for origin in allow_origin or ()],
        "--feature": [(id,) for id in feature or ()],
        "--deactivate-feature": [(id,) for id in deactivate_feature or ()],
        "--bpf-program": bpf_program,
        "--upgradeable-program": upgradeable_program,
        "--account": account,
    }
    words = [word for option, all in given.items() for i in all or () for word in (option, *i)]
    folder = state or default_folder(make=True)
    argv, environment = daemon(folder.absolute(), words)
    sys.stdout.flush()
    sys.stderr.flush()
    # In our place: signals and the exit code are its own.
    os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is wanted


@app.command()
def status(
    state: StateOption = None,
    env: EnvOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a localnet: slot, time, transactions, accounts, size on disk, programs.

    Example: cbctl localnet status --env local --output json
    """
    from cbctl.cli.results import print_data

    data = {**_target(state, env, url, config)[0].status()}
    data["time"] = _time(data["unixTime"])
    if output is not Output.TEXT:
        print_data(data, output)
        return
    running = f"running at {data['url']}" if data["running"] else "not running"
    lines = {
        "state": f"{running}, in {data['state']}",
        "slot": f"{data['slot']} ({data['slotMs']} ms each)",
        "time": data["time"],
        "chain": data["genesisHash"],
        "transactions": data["transactions"],
        "accounts": data["accounts"],
        "on disk": f"{data['bytes'] / 1e6:.1f} MB",
        "programs": ", ".join(data["programs"]) or "none beside those that are built in",
        "snapshots": ", ".join(data["snapshots"]),
        "features": ", ".join(data["features"]),
        "without": ", ".join(data["deactivatedFeatures"]),
    }
    print_text("\n".join(f"{name:<13} {text}" for name, text in lines.items() if text != ""))


@app.command()
def snapshot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (mode 0600).")],
    state: StateOption = None,
    env: EnvOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write all accounts and the clock into one file, while it runs or not.

    Example: cbctl localnet snapshot seeded.snapshot
    """
    from cbctl.cli.keep import check_replaceable
    from cbctl.wiring.localnet import SNAPSHOT_MAGIC

    check_replaceable(file, lambda start: start.startswith(SNAPSHOT_MAGIC), force)
    told = _target(state, env, url, config)[0].snapshot(file)
    words = f"{told['accounts']} accounts at slot {told['slot']}, {told['bytes'] / 1e6:.1f} MB"
    _tell({**told, "file": str(file)}, f"{file}: {words}", output)


@app.command()
def restore(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A snapshot.", exists=True, dir_okay=False, readable=True
        ),
    ],
    state: StateOption = None,
    env: EnvOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a localnet what a snapshot holds, while it runs or not.

    What happened since is forgotten. The time is that of the snapshot plus what has passed since;
    slots only go on, so that nothing a client holds becomes wrong.

    Example: cbctl localnet restore seeded.snapshot
    """
    net, work = _target(state, env, url, config, new=True)
    told = _locked(work, "restore of the localnet", lambda: net.restore(file))
    words = f"{told['accounts']} accounts, slot {told['slot']}, {_time(told['unixTime'])}"
    _tell({**told, "time": _time(told["unixTime"])}, f"restored: {words}", output)


@app.command()
def reset(
    state: StateOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove a chain, its history and its snapshots. The next run starts a new one.

    The localnet of an environment is stopped first; one that you run yourself you stop yourself.

    Example: cbctl localnet reset --yes
    """
    from cbctl.cli.ask import confirm
    from cbctl.wiring.localnet import reset_environment

    net, work = _target(state, env, None, config)
    if work is None and net.url:
        raise CbctlError(
            "it is running", exit=Exit.LOCKED, where=net.url, fix="stop it first, with Ctrl-C"
        )
    confirm(f"Remove the chain in {net.folder}?", yes)
    if work is None:
        net.reset()
        after = "cbctl localnet run"
    else:
        reset_environment(work)
        after = f"cbctl deploy {work.env.name}"
    _tell({"removed": str(net.folder)}, f"removed the chain in {net.folder}\nnext: {after}", output)


@clock.command()
def advance(
    span: Annotated[
        str | None, typer.Argument(metavar="SPAN", help="How far: 45s, 90m, 24h, 30d, 52w.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, metavar="N", help="By slots instead.")
    ] = None,
    state: StateOption = None,
    env: EnvOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Move the clock forward. Blockhashes that are over 150 slots old afterwards have expired.

    Example: cbctl localnet clock advance 30d
    """
    from cbctl.cli.times import seconds

    if (span is None) == (slots is None):
        raise CbctlError(
            "how far?", exit=Exit.USAGE, fix="name a span such as 30d, or --slots N; one of them"
        )
    by = None if span is None else seconds(span)
    net, work = _target(state, env, url, config)
    told = _locked(work, "clock of the localnet", lambda: net.advance(seconds=by, slots=slots))
    _tell_clock(told, output)


@clock.command("set")
def set_(
    time: Annotated[
        str, typer.Argument(metavar="TIME", help="2027-01-01T00:00, UTC unless it says otherwise.")
    ],
    state: StateOption = None,
    env: EnvOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Move the clock to a time to come; it never goes back.

    Example: cbctl localnet clock set 2027-01-01T00:00
    """
    from cbctl.cli.times import point

    at = point(time)
    net, work = _target(state, env, url, config)
    told = _locked(work, "clock of the localnet", lambda: net.set_clock(at))
    _tell_clock(told, output)


def _target(
    state: Path | None, env: str | None, url: str | None, config: str | None, *, new: bool = False
) -> tuple[Localnet, Workplace | None]:
    """Which localnet is meant, and its environment if it has one.

    new  one that does not exist yet will do"""
    from cbctl.wiring.localnet import at_url, default_folder, in_folder, of_environment
    from cbctl.wiring.workplace import open_workplace

    given = [n for n, v in (("--state", state), ("--env", env), ("--url", url)) if v is not None]
    if len(given) > 1:
        raise CbctlError(
            f"{' and '.join(given)} name two localnets", exit=Exit.USAGE, fix="use one of them"
        )
    if url is not None:
        return at_url(url), None
    if env is not None:
        work = open_workplace(config, env)
        return of_environment(work), work
    return in_folder(state.absolute() if state else default_folder(make=new)), None


def _locked(
    work: Workplace | None, reason: str, change: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Nobody deploys to an environment whose chain changes under it."""
    from cbctl.wiring.lock import locked

    if work is None:
        return change()
    with locked(work, reason):
        return change()


def _tell_clock(told: dict[str, Any], output: Output) -> None:
    time = _time(told["unixTime"])
    _tell({**told, "time": time}, f"slot {told['slot']}, {time}", output)


def _tell(data: dict[str, Any], text: str, output: Output) -> None:
    from cbctl.cli.results import print_data

    if output is Output.TEXT:
        for line in data.get("warnings", ()):
            print_text(line)
        print_text(text)
    else:
        print_data(data, output)


def _time(unix_time: int) -> str:
    """A chain's time as people read it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(unix_time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
