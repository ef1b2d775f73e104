"""The commands that build the on-chain program and test it."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cbctl.config.load import environment
from cbctl.config.settings import Program, Settings
from cbctl.errors import CbctlError, Exit
from cbctl.wiring import build_tool
from cbctl.wiring.workplace import local_name
from cbctl.wiring.workplace import settings as read_settings


@dataclass(frozen=True)
class Built:
    """
    hash    as solana-verify prints it
    before  the hash that the file had, none where there was no program
    sbpf    version of its instruction set
    record  which tells by what it was built; none where that was not cargo build-sbf
    """

    path: Path
    sha256: str
    hash: str
    before: str | None
    bytes: int
    sbpf: int
    record: Path | None


def build(config: str | None, env: str | None) -> Built:
    """Runs `program.source.build`, and looks at what it made.

    Errors: Exit.FAILED when the command fails, Exit.REFUSED when no loader would take the result.
    """
    from cbctl.clients.solana import dry_deploy
    from cbctl.clients.solana.elf import BadElf
    from cbctl.steps.program._material import read_elf

    everything, program = _program(config, env)
    before = None
    if program.elf.is_file():
        with contextlib.suppress(BadElf):  # whatever it is, it is about to be replaced
            before = read_elf(program.elf).hash
    words = _run(everything, "build", program.source.build if program.source else None)
    elf = read_elf(program.elf)
    problem = dry_deploy.problem(elf)
    if problem is not None:
        raise CbctlError(
            f"what was built could not be deployed: {problem}",
            exit=Exit.REFUSED,
            where=str(program.elf),
        )
    noted = build_tool.record(everything.folder, words, program.elf, elf.sha256)
    return Built(program.elf, elf.sha256, elf.hash, before, elf.size, elf.sbpf, noted)


def test(config: str | None, env: str | None) -> None:
    """Runs `program.source.test`. Errors: Exit.FAILED when it fails."""
    everything, program = _program(config, env)
    _run(everything, "test", program.source.test if program.source else None)


def _program(config: str | None, env: str | None) -> tuple[Settings, Program]:
    everything = read_settings(config)
    return everything, environment(everything, local_name(config, env)).program


def _run(everything: Settings, name: str, command: tuple[str, ...] | None) -> list[str]:
    """The words that were run."""
    folder, setting = everything.folder, f"program.source.{name}"
    if not command:
        raise CbctlError(
            f"no command is given to {name} the program with",
            exit=Exit.USAGE,
            where=str(everything.path),
            fix=f"say it in cbctl.yaml: {setting}: [make, program]",
        )
    words = list(command)
    if "/" in words[0]:
        words[0] = str(folder / words[0])
    try:
        # What it says is talk: stdout has the result alone.
        code = subprocess.run(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=2, check=False
        ).returncode
    except OSError as error:
        raise CbctlError(
            f"{setting} cannot be run: {error.strerror}", exit=Exit.USAGE, where=words[0]
        ) from None
    if code:
        raise CbctlError(
            f"{setting} failed with exit code {code}",
            where=" ".join(words),
            fix="see what it said above",
        )
    return words
