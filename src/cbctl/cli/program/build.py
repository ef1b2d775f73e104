"""The program's sources: build, test."""

from __future__ import annotations

import typer

from cbctl.cli.options import ConfigOption, LocalEnvOption, Output, OutputOption
from cbctl.cli.results import print_data, print_text


def build(
    env: LocalEnvOption = None,
    output: OutputOption = Output.TEXT,
    config: ConfigOption = None,
) -> None:
    """Build the program as `program.source.build` in cbctl.yaml says, and look at the result.

    It is deployed once to a chain that is thrown away, so that no loader refuses it later. What
    cargo build-sbf has built gets a record beside it, which mainnet-beta demands.

    Example: cbctl program build
    """
    from dataclasses import asdict

    from cbctl.wiring.source import build as made

    built = made(config, env)
    if output is not Output.TEXT:
        data = {**asdict(built), "path": str(built.path), "same": built.hash == built.before}
        data["record"] = built.record and str(built.record)
        print_data(data, output)
        return
    print_text(f"{built.path}: {built.bytes:,} bytes, SBPF version {built.sbpf}")
    if built.hash == built.before:
        print_text(f"hash    {built.hash}, the same as before")
    else:
        print_text(f"hash    {built.hash}\nbefore  {built.before or 'no program'}")
    if built.record:
        print_text(f"record  {built.record}")


def test(env: LocalEnvOption = None, config: ConfigOption = None) -> None:
    """Test the program as `program.source.test` in cbctl.yaml says (exit 1 when it fails).

    Example: cbctl program test
    """
    from cbctl.wiring.source import test as tried

    tried(config, env)
    print_text("the program's tests passed")


def add_to(root: typer.Typer) -> None:
    root.command()(build)
    root.command()(test)
