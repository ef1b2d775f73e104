from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from cbctl.errors import CbctlError, Exit
from cbctl.secrets.env_file import MAX_BYTES, parse, read_env_file, read_private

CANARY = "canary4711"


def values(text: str) -> dict[str, str]:
    return {name: value.reveal() for name, value in parse(text, ".env.local").items()}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  A=1  ", "1"),
        ("A=", ""),
        ("A=''", ""),
        ('A=""', ""),
        ("A=x # comment", "x"),
        ("A=x#no-comment", "x#no-comment"),
        ("A=# comment", ""),
        ("A='a b # c'", "a b # c"),
        ("A='a b' # comment", "a b"),
        ('A="a b"', "a b"),
        (r'A="a\"b\\c\nd\te"', 'a"b\\c\nd\te'),
        (r"A='a\nb'", r"a\nb"),
        ("A=$HOME${X}`x`", "$HOME${X}`x`"),
        ("A=postgres://u:p%40@h:5432/d?sslmode=verify-full", None),
        ("A=a=b=c", "a=b=c"),
        ("A=1\r", "1"),
        ("A=é", "é"),
    ],
)
def test_values(line: str, value: str | None) -> None:
    assert values(line) == {"A": line.removeprefix("A=") if value is None else value}


def test_a_whole_file() -> None:
    text = "\ufeff# head\n\nA=1\n\t# indented\nexport B='2'\n".removeprefix("\ufeff")
    assert values(text) == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"A = {CANARY}", "expected KEY=value (no blank around `=`)"),
        (CANARY, "expected KEY=value (no blank around `=`)"),
        (f"1A={CANARY}", "expected KEY=value (no blank around `=`)"),
        (f"A-B={CANARY}", "expected KEY=value (no blank around `=`)"),
        (f"set A={CANARY}", "expected KEY=value (no blank around `=`)"),
        (f"A={CANARY} x", "the value of A has a blank or a quote in it: put all of it in quotes"),
        (f"A= {CANARY}", "the value of A has a blank or a quote in it: put all of it in quotes"),
        (f'A={CANARY}"', "the value of A has a blank or a quote in it: put all of it in quotes"),
        (f"A='{CANARY}", "the closing quote of A is missing"),
        (f'A="{CANARY}\\"', "the closing quote of A is missing"),
        (f"A='{CANARY}'x", "there is something after the closing quote of A"),
        (f"A='{CANARY}'#x", "there is something after the closing quote of A"),
        (f'A="{CANARY}\\q"', 'unknown escape in the value of A; there are \\" \\\\ \\n \\t'),
        (f"B={CANARY}", "B is already set in line 1"),
    ],
)
def test_errors_name_the_line_and_no_value(line: str, message: str) -> None:
    with pytest.raises(CbctlError) as caught:
        parse(f"B=1\n{line}\n", ".env.local")
    assert str(caught.value) == f".env.local:2: {message}"
    assert caught.value.exit is Exit.USAGE
    assert CANARY not in f"{caught.value!r} {caught.value.fix}"


def test_no_file(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env.local") is None


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_modes(tmp_path: Path, mode: int) -> None:
    path = tmp_path / ".env.local"
    path.write_text("A=1\n")
    path.chmod(mode)
    assert {name: value.reveal() for name, value in (read_env_file(path) or {}).items()} == {
        "A": "1"
    }


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777])
def test_other_modes_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / ".env.local"
    path.write_text(f"A={CANARY}\n")
    path.chmod(mode)
    with pytest.raises(CbctlError) as caught:
        read_env_file(path)
    error = caught.value
    assert str(error) == f"{path}: others can read or change it (mode {mode:04o})"
    assert error.fix == f"chmod 600 {path}"
    assert error.exit is Exit.USAGE
    path.chmod(0o600)  # the fix works
    assert read_env_file(path) is not None


def test_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env.local"
    path.write_text("A=1\n")
    path.chmod(0o600)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CbctlError, match="belongs to another user") as caught:
        read_env_file(path)
    assert caught.value.exit is Exit.USAGE


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / ".env.local"
    os.mkfifo(path, 0o600)
    with pytest.raises(CbctlError, match="no ordinary file"):
        read_private(path)


def test_a_folder_and_a_file_too_large_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(CbctlError, match="no ordinary file"):
        read_private(tmp_path)
    path = tmp_path / "f"
    path.write_bytes(b"a" * (MAX_BYTES + 1))
    path.chmod(0o600)
    with pytest.raises(CbctlError, match="larger than 64 KiB"):
        read_private(path)
    path.write_bytes(f"A={CANARY}\xff".encode("latin-1"))
    with pytest.raises(CbctlError, match="not UTF-8") as caught:
        read_private(path)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
