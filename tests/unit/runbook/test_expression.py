"""References and conditions: a small language that guesses nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from cbctl.runbook.expression import BadExpression, Path, holds, reference, references, resolve


@dataclass(frozen=True)
class Outcome:
    sha256: str
    count: int = 0


class Api(msgspec.Struct):
    on: str
    port: int = 3000
    secure: bool = True
    proxy: str | None = None


ROOTS: dict[str, Any] = {
    "env": {"api": Api("local"), "name": "dev", "list": [1, 2]},
    "steps": {"elf": Outcome("ab"), "gone": None},
    "inputs": {"count": 1},
    "release": {},
}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("${env.api.port}", 3000),
        ("${env.api.proxy}", None),
        ("${env.list}", [1, 2]),
        ("${steps.elf}", Outcome("ab")),
        ("${steps.elf.sha256}", "ab"),
        ({"a": ["${inputs.count}", "plain", 5, None, True]}, {"a": [1, "plain", 5, None, True]}),
        ("${env:NAME}", "${env:NAME}"),  # a reference of the configuration stays
        ("costs $5 {a}", "costs $5 {a}"),
    ],
    ids=str,
)
def test_a_reference_becomes_what_it_names_of_whatever_type(value: Any, meant: Any) -> None:
    assert resolve(value, ROOTS) == meant


@pytest.mark.parametrize(
    "text",
    [
        "x${env.name}",
        "${env.name}x",
        "${env}",
        "${}",
        "${env.}",
        "${nope.a}",
        "${env.name",
        "${ env.name }",
    ],
)
def test_what_only_looks_like_a_reference_is_refused(text: str) -> None:
    with pytest.raises(BadExpression, match="a reference is the whole value"):
        reference(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env.apy}", "env has no 'apy'; it has api, list, name"),
        ("${env.api.ports}", "env.api has no 'ports'; it has on, port, proxy, secure"),
        ("${steps.gone.x}", "steps.gone has no 'x'; it has nothing"),
        ("${release.elf}", "release has no 'elf'; it has nothing"),
        ("${env.name.upper}", "env.name has no 'upper'"),
        ("${steps.elf.__class__}", "steps.elf has no '__class__'; it has count, sha256"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(text: str, message: str) -> None:
    with pytest.raises(BadExpression) as caught:
        resolve(text, ROOTS)
    assert message in str(caught.value)


def test_all_references_of_a_value_are_found() -> None:
    value = {"a": ["${env.name}", {"b": "${steps.elf.sha256}"}], "c": "${env:X}"}
    assert list(references(value)) == [Path("env", ("name",)), Path("steps", ("elf", "sha256"))]


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("env.api.on == local", True),
        ("env.api.on != local", False),
        ("env.api.on == kubernetes", False),
        ("env.api.port == 3000", True),
        ("env.api.port != 3000", False),
        ("env.api.proxy == null", True),
        ("env.api.secure == true", True),
        ("env.api.secure == 1", False),
        ("inputs.count == true", False),
        ("inputs.count == 1", True),
        ("env.name == env.api.on", False),
        ("env.api.on in [local, external]", True),
        ("env.api.on in [ external ]", False),
        ("env.api.on in [kubernetes, local] and env.name == dev", True),
        ("env.api.on == local and env.name == prod", False),
        ("  env.name   ==   dev  ", True),
    ],
)
def test_conditions(condition: str, true: bool) -> None:
    assert holds(condition, ROOTS) is true


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "local",
        "env.name",
        "env.name = dev",
        "env.name == ",
        "env.name == dev or env.name == prod",
        "env.name == dev and",
        "not env.name == dev",
        "env.name in dev",
        "env.name in []",
        "env.name in [a,,b]",
        "dev == env.name",
        "env == dev",
        "env.name == 'dev'",
        "env.name == __import__('os')",
        "env.name > a",
    ],
)
def test_everything_else_is_no_condition(condition: str) -> None:
    with pytest.raises(BadExpression):
        holds(condition, ROOTS)


def test_a_condition_on_what_is_not_there_is_refused_not_false() -> None:
    with pytest.raises(BadExpression, match="env has no 'cdn'"):
        holds("env.cdn.on == local", ROOTS)
