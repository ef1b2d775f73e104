"""`cbctl config`: check, show and describe cbctl.yaml."""

from __future__ import annotations

from pathlib import Path

import typer

from cbctl.cli.options import ConfigOption, EnvArgument, Output, OutputOption
from cbctl.cli.results import print_text
from cbctl.errors import Exit

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Check, show and describe cbctl.yaml.",
)


@app.command()
def validate(
    env: EnvArgument = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say everything that is wrong with the configuration (exit 64 when anything is).

    With ENV also what that environment points to: files, the program's arguments.

    Example: cbctl config validate local
    """
    from cbctl.cli.results import print_data
    from cbctl.config.load import find_config, load
    from cbctl.config.problem import ConfigError
    from cbctl.config.validate import validate as find_problems

    path = find_config(Path.cwd(), config)
    problems = find_problems(path, env)
    if output is not Output.TEXT:
        found = [
            {
                "file": p.file,
                "line": p.line,
                "column": p.column,
                "key": p.key,
                "message": p.message,
            }
            for p in problems
        ]
        print_data({"file": str(path), "valid": not problems, "problems": found}, output)
        raise typer.Exit(Exit.USAGE if problems else Exit.DONE)
    if problems:
        raise ConfigError(problems)
    checked = f"environment {env}" if env else ", ".join(load(path).environments)
    print_text(f"{path}: valid ({checked})")


@app.command("show")
def show_(
    env: EnvArgument = None,
    config: ConfigOption = None,
    output: OutputOption = Output.YAML,
) -> None:
    """Show the settings of an environment, defaults merged, references as they are written.

    Example: cbctl config show production --output json
    """
    from cbctl.cli.results import print_data
    from cbctl.config.load import environment
    from cbctl.config.show import show as shown
    from cbctl.wiring.workplace import name_of, settings

    everything = settings(config)
    data = shown(environment(everything, name_of(everything, env)))
    print_data(data, Output.YAML if output is Output.TEXT else output)


@app.command()
def schema() -> None:
    """Print the JSON Schema of cbctl.yaml, for editors.

    Example: cbctl config schema > cbctl.schema.json
    """
    from cbctl.cli.results import print_data
    from cbctl.config.schema import schema as made

    print_data(made(), Output.JSON)
