"""Options that mean the same on every command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Events(StrEnum):
    NONE = "none"
    NDJSON = "ndjson"


def complete_environments(incomplete: str) -> list[str]:
    """Names for the shell's completion; wrong configuration completes to nothing."""
    from cbctl.config.load import find_config, load
    from cbctl.errors import CbctlError

    try:
        names = load(find_config(Path.cwd())).environments
    except CbctlError:
        return []
    return [n for n in names if n.startswith(incomplete)]


def complete_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids for the shell's completion, newest first; only names of files are read."""
    import os

    from cbctl.config.load import environment, find_config, load
    from cbctl.errors import CbctlError
    from cbctl.local.state import root_folder

    name = ctx.params.get("env") or os.environ.get("CBCTL_ENV", "")
    try:
        env = environment(load(find_config(Path.cwd(), ctx.params.get("config"))), name)
        found = (root_folder() / env.platform / env.name / "runs").glob("*.ndjson")
        ids = sorted((path.stem for path in found), reverse=True)
    except (CbctlError, OSError):
        return []
    return [id for id in ids if id.startswith(incomplete)]


EnvArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ENV",
        help="Environment of cbctl.yaml; without it, $CBCTL_ENV.",
        autocompletion=complete_environments,
    ),
]
EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env",
        "-e",
        metavar="ENV",
        help="Environment of cbctl.yaml; without it, $CBCTL_ENV.",
        autocompletion=complete_environments,
    ),
]
LocalEnvOption = Annotated[
    str | None,
    typer.Option(
        "--env",
        "-e",
        metavar="ENV",
        help="Environment on this machine; without it, $CBCTL_ENV, else local or the only one.",
        autocompletion=complete_environments,
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="cbctl.yaml; without it, $CBCTL_CONFIG or the nearest one upwards.",
    ),
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How the result is written to stdout.")
]
EventsOption = Annotated[
    Events,
    typer.Option("--events", help="ndjson: every event of the run as a JSON line on stdout."),
]
PlanOption = Annotated[
    bool, typer.Option("--plan", help="Only show what would change (exit 2 when anything would).")
]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Id of a run, or `last`.", autocompletion=complete_runs),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STEP", help="Run only this step (repeatable); no release."),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="STEP", help="Leave this step out (repeatable); no release."),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. A protected environment wants --confirm.")
]
ConfirmOption = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="Name of the protected environment, typed."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="CLUSTER",
        help="local, devnet, testnet, mainnet-beta, an RPC URL, or a name of `chains:`; instead of "
        "an environment.",
    ),
]
WalletOption = Annotated[
    str | None,
    typer.Option(
        "--wallet",
        metavar="WALLET",
        help="A keypair file, env:NAME, kms:KEY or solana-cli; without it, that of cbctl.yaml.",
    ),
]
ProgramIdOption = Annotated[
    str | None,
    typer.Option("--program-id", metavar="ADDRESS", help="Without it, that of cbctl.yaml."),
]
ImageOption = Annotated[
    str | None,
    typer.Option("--image", metavar="NAME@sha256:…", help="What is to run, by its digest."),
]
ElfOption = Annotated[
    Path | None, typer.Option("--elf", metavar="FILE", help="Without it, that of cbctl.yaml.")
]
