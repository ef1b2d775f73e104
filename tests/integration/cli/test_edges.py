"""What fuzzing found at the edges of the command: words that are none, and streams that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.testbed.commands import table
from tests.testbed.forked import REPOSITORY, Ended, Forked

Cbctl = Callable[..., Ended]


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    made = Forked()
    yield made
    made.close()


@pytest.fixture
def cbctl(forked: Forked, tmp_path: Path) -> Cbctl:
    def run(*argv: str, stdout: str = "", **env: str) -> Ended:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CBCTL_STATE_DIR": str(tmp_path / "state"),
            "CBCTL_CONFIG": str(REPOSITORY / "cbctl.yaml"),
        }
        ended = forked.run(argv, cwd=tmp_path, env={**own, **env}, stdout=stdout)
        assert "defect of cbctl" not in ended.err and "Traceback" not in ended.err, ended
        return ended

    return run


# -- words --------------------------------------------------------------------------------


def test_no_command_changes_the_user_s_shell() -> None:
    """typer offers it to every application that does not decline."""
    for command in table():
        assert not command.has("--install-completion"), command.name


@pytest.mark.parametrize("argv", [("de\x1b[31mploy\r",), ("deploy", "--\x1b[2J"), ("\udcff\x9b",)])
def test_a_word_that_is_repeated_cannot_steer_the_terminal(
    cbctl: Cbctl, argv: tuple[str, ...]
) -> None:
    told = cbctl(*argv)
    assert told.exit == 64 and "Error: No such" in told.err
    assert not set(told.err) & {"\x1b", "\r", "\x9b", "\t"}


def test_lines_of_a_word_cannot_be_taken_for_ours(cbctl: Cbctl) -> None:
    told = cbctl("x\n::error::made up")
    assert told.exit == 64
    assert "\n  | ::error::made up" in told.err and "\n::" not in told.err
    assert cbctl("completion").err.endswith("  |  bash,\n  |  zsh,\n  |  fish\n")


@pytest.mark.parametrize(
    "argv", [("x" * 100_000,), ("status", "x" * 100_000), ("diff", "x" * 100_000, "r1")]
)
def test_a_word_without_end_is_cut(cbctl: Cbctl, argv: tuple[str, ...]) -> None:
    told = cbctl(*argv, CBCTL_ENV="local")
    assert told.exit in (7, 64) and len(told.err) < 5_000


@pytest.mark.parametrize(
    "line",
    [
        "lock break local --yes --reason REASON",
        "freeze local --reason REASON",
        "unfreeze local --reason REASON",
        "deploy local --override freeze --reason REASON",
    ],
)
def test_a_reason_is_kept_so_it_is_text(cbctl: Cbctl, tmp_path: Path, line: str) -> None:
    for reason in ("\udcff", " "):
        told = cbctl(*[reason if word == "REASON" else word for word in line.split()])
        assert told.exit == 64 and "reason" in told.err, told
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("every", ["nan", "inf", "1e300", "0.1", "-1"])
def test_a_pause_is_a_number_of_seconds(cbctl: Cbctl, every: str) -> None:
    told = cbctl("health", "local", "--watch", "--every", every)
    assert told.exit == 64 and "--every" in told.err


def test_a_request_to_complete_that_no_shell_made(cbctl: Cbctl) -> None:
    told = cbctl("status", "local", _CBCTL_COMPLETE="complete_bash")
    assert told.exit == 64 and "unset _CBCTL_COMPLETE" in told.err
    made = {"_CBCTL_COMPLETE": "complete_bash", "COMP_WORDS": "cbctl rel", "COMP_CWORD": "1"}
    assert cbctl(**made).out == "releases\n"


# -- files ----------------------------------------------------------------------------------


def test_names_that_are_too_long(cbctl: Cbctl) -> None:
    told = cbctl("status", "local", "--config", "x" * 5000)
    assert told.exit == 64 and "File name too long" in told.err and "fix:" in told.err
    told = cbctl("local", "reset", "--yes", CBCTL_STATE_DIR="x" * 5000)
    assert told.exit == 64 and "CBCTL_STATE_DIR" in told.err


def test_a_file_that_has_no_end(cbctl: Cbctl) -> None:
    for option in ("--head-file", "--file"):
        told = cbctl("audit", "verify", "--env", "local", option, "/dev/zero")
        assert told.exit == 64 and "larger than 256 MiB" in told.err, told


# -- streams --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["--help", "--version", "deploy --help", "completion bash", "config schema"]
)
def test_what_is_not_written_is_no_success(cbctl: Cbctl, line: str) -> None:
    told = cbctl(*line.split(), stdout="/dev/full")
    assert told.exit == 1
    assert told.err.startswith("error: standard output cannot be written: No space left on device")


def test_a_reader_that_has_enough(cbctl: Cbctl) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for line in ("config schema", "--help"):
            done = subprocess.run(
                [sys.executable, "-m", "cbctl", *line.split()],
                stdout=writing,
                stderr=subprocess.PIPE,
                env={**os.environ, "CBCTL_CONFIG": str(REPOSITORY / "cbctl.yaml")},
            )
            assert done.stderr == b"" and done.returncode in (0, 1), done
    finally:
        os.close(writing)


def test_a_stream_that_knows_only_ascii(cbctl: Cbctl, tmp_path: Path) -> None:
    for line in ("config show local", "status local", "deploy local --plan"):
        told = cbctl(*line.split(), PYTHONIOENCODING="ascii")
        assert told.exit in (0, 2, 7) and (told.out + told.err).isascii()


def test_help_has_an_example_of_that_very_command_and_a_line_that_can_be_read(
    cbctl: Cbctl,
) -> None:
    for command in table():
        told = cbctl(*command.words, "--help").out
        assert "[[" not in told, command.name
        if command.words[0] == "program":
            assert f"Example: cbctl {command.name}" in " ".join(told.split()), command.name
