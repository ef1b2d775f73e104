"""What an environment points to: its files, and its program's arguments by the IDL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cbctl.config.idl import is_address
from cbctl.config.load import load_document
from cbctl.config.problem import ConfigError
from cbctl.config.validate import require, validate
from cbctl.errors import CbctlError, Exit

Write = Callable[[str], Path]

IDL: dict[str, Any] = {
    "instructions": [
        {
            "name": "begin",
            "args": [
                {"name": "price", "type": "u64"},
                {"name": "limits", "type": {"defined": {"name": "Limits"}}},
                {"name": "keeper", "type": "pubkey"},
            ],
        },
        {"name": "finish", "args": []},
    ],
    "accounts": [{"name": "House", "discriminator": [0] * 8}],
    "types": [
        {
            "name": "Limits",
            "type": {
                "kind": "struct",
                "fields": [{"name": "least", "type": "u8"}, {"name": "most", "type": "u8"}],
            },
        },
        {
            "name": "Mode",
            "type": {"kind": "enum", "variants": [{"name": "Slow"}, {"name": "Fast"}]},
        },
    ],
}


@pytest.fixture
def project(sample: str, write: Write, tmp_path: Path) -> Path:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "lottery.so").write_bytes(b"\x7fELF")
    (tmp_path / "build" / "lottery.json").write_text(json.dumps(IDL))
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "range.json").write_text("{}")
    (tmp_path / "service").mkdir()
    return write(sample)


def found(path: Path, env: str = "local") -> list[str]:
    return [str(problem) for problem in validate(path, env)]


def test_good(project: Path) -> None:
    assert found(project) == found(project, "production") == []
    assert validate(project) == []
    document = load_document(project)
    require(document, document.settings.environments["local"])


def test_names_that_are_too_long(project: Path) -> None:
    text = project.read_text().replace("build/lottery.so", "x" * 5000)
    project.write_text(
        text.replace("platform: lottery", f"platform: lottery\nrunbooks: {'y' * 5000}")
    )
    elf, books = found(project)
    assert "program.elf: cannot be looked at (File name too long)" in elf
    assert "runbooks: cannot be looked at (File name too long)" in books
    assert len(elf) < 200


def test_a_program_that_needs_no_first_configuration(project: Path) -> None:
    text = project.read_text().replace(
        "    program:\n", "    program:\n      initialize: null\n", 1
    )
    project.write_text(text)
    assert found(project) == found(project, "production") == []
    assert load_document(project).settings.environments["local"].program.initialize is None


def test_missing_files(project: Path, tmp_path: Path) -> None:
    (tmp_path / "build" / "lottery.so").unlink()
    (tmp_path / "service").rmdir()
    (tmp_path / "service").write_text("")
    text = project.read_text().replace("platform: lottery", "platform: lottery\nrunbooks: books")
    project.write_text(text)
    assert found(project) == [
        f"cbctl.yaml:7:10: defaults.program.elf: there is no file {tmp_path}/build/lottery.so",
        f"cbctl.yaml:18:13: defaults.api.source: {tmp_path}/service is no folder",
        f"cbctl.yaml:3:11: runbooks: there is no folder {tmp_path}/books",
    ]
    document = load_document(project)
    with pytest.raises(ConfigError, match="3 problems"):
        require(document, document.settings.environments["local"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "instruction: begin",
            "instruction: begn",
            "10:20: defaults.program.initialize.instruction: the IDL has no instruction `begn`;"
            " did you mean `begin`?",
        ),
        (
            "account: House",
            "account: Barn",
            "11:16: defaults.program.initialize.account: the IDL has no account `Barn`;"
            " there are House",
        ),
        (
            "        price: 10\n",
            "",
            "13:9: defaults.program.initialize.arguments: `price` (u64) is missing",
        ),
        (
            "        price: 10\n",
            "        pricy: 10\n        price: 10\n",
            "13:16: defaults.program.initialize.arguments.pricy: the IDL has no `pricy` here;"
            " did you mean `price`?",
        ),
        (
            "most: 9",
            "most: 256",
            "14:34: defaults.program.initialize.arguments.limits.most: expected u8: 0 to 255",
        ),
        (
            "price: 10",
            'price: "10"',
            "13:16: defaults.program.initialize.arguments.price: expected u64",
        ),
        (
            "price: 10",
            "price: true",
            "13:16: defaults.program.initialize.arguments.price: expected u64",
        ),
        (
            "price: 10",
            "price: -1",
            "13:16: defaults.program.initialize.arguments.price: expected u64:"
            " 0 to 18446744073709551615",
        ),
        (
            "limits: {least: 1, most: 9}",
            "limits: [1, 9]",
            "14:17: defaults.program.initialize.arguments.limits: expected a mapping: the fields"
            " of Limits",
        ),
        (
            "keeper: ${env:KEEPER}",
            "keeper: me",
            "15:17: defaults.program.initialize.arguments.keeper: expected an address: 32 bytes"
            " in base58, or a reference",
        ),
    ],
)
def test_arguments(project: Path, old: str, new: str, message: str) -> None:
    # One line above moves everything down, so that no line matches by accident.
    text = "# a comment\n" + project.read_text()
    assert old in text
    project.write_text(text.replace(old, new))
    assert found(project) == [f"cbctl.yaml:{message}"]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("bool", "true", "1"),
        ("string", "text", "1"),
        ("i8", "-128", "-129"),
        ("u128", str(2**128 - 1), str(2**128)),
        ({"option": "u8"}, "1", "x"),
        ({"option": "u8"}, "null", "[]"),
        ("u8", "0", "null"),
        ("bytes", "c0ffee", "coffee"),
        ({"vec": "u8"}, "[1, 2]", "[1, x]"),
        ({"array": ["u8", 2]}, "[1, 2]", "[1]"),
        ({"defined": {"name": "Mode"}}, "Fast", "Medium"),
        ({"defined": {"name": "Mode"}}, '"Slow"', "1"),
        ("u8", "${env:X}", "[]"),
        ("pubkey", '"11111111111111111111111111111111"', "1111"),
    ],
)
def test_types(project: Path, tmp_path: Path, kind: object, good: str, bad: str) -> None:
    idl = json.loads(json.dumps(IDL))
    idl["instructions"][0]["args"][0]["type"] = kind
    (tmp_path / "build" / "lottery.json").write_text(json.dumps(idl))
    text = project.read_text()
    project.write_text(text.replace("price: 10", f"price: {good}"))
    assert found(project) == []
    project.write_text(text.replace("price: 10", f"price: {bad}"))
    assert len(found(project)) == 1
    assert "arguments.price" in found(project)[0]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000, b"1"])
def test_an_idl_that_is_none(project: Path, tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "build" / "lottery.json").write_bytes(raw)
    (problem,) = found(project)
    assert problem.startswith("cbctl.yaml:7:10: defaults.program.idl: this is no IDL: ")


@pytest.mark.parametrize("part", ["instructions", "accounts", "types"])
@pytest.mark.parametrize("value", [None, 1, [], [1], [{"name": 1}], {"a": 1}])
def test_an_idl_of_odd_shape(project: Path, tmp_path: Path, part: str, value: object) -> None:
    (tmp_path / "build" / "lottery.json").write_text(json.dumps(IDL | {part: value}))
    assert found(project) != []


def test_a_type_that_holds_itself(project: Path, tmp_path: Path) -> None:
    idl = json.loads(json.dumps(IDL))
    kind: Any = {"option": "u8"}
    for _ in range(50):
        kind = {"option": kind}
    idl["instructions"][0]["args"][0]["type"] = kind
    (tmp_path / "build" / "lottery.json").write_text(json.dumps(idl))
    assert found(project)[0].endswith("nested too deep in the IDL")


def test_problems_of_the_file_come_as_problems(project: Path) -> None:
    project.write_text(project.read_text().replace("port: 4000", "port: x"))
    assert [problem.key for problem in validate(project, "local")] == ["defaults.api.port"]


def test_an_unknown_environment_is_an_error(project: Path) -> None:
    with pytest.raises(CbctlError) as caught:
        validate(project, "lokal")
    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("11111111111111111111111111111111", True),
        ("1111111111111111111111111111111", False),
        ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", True),
        ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt10", False),
        ("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", False),
        ("", False),
        (7, False),
    ],
)
def test_is_address(text: object, address: bool) -> None:
    assert is_address(text) is address
