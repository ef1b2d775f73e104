"""Plain values become a step's inputs; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from cbctl.config.types import Reference, Secret
from cbctl.runbook.inputs import BadInput, bind, convert

REFERENCE = Reference("env", "NAME")


@dataclass(frozen=True)
class Inputs:
    name: str
    file: Path
    count: int = 1
    url: Reference | str | None = None
    tags: tuple[str, ...] = ()
    extra: dict[str, int] = field(default_factory=dict)


def test_what_is_given_is_bound_and_the_rest_has_its_default() -> None:
    made = bind(Inputs, {"name": "x", "file": "/a", "tags": ["t"], "url": REFERENCE})
    assert made == Inputs("x", Path("/a"), 1, REFERENCE, ("t",), {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the input 'name' is missing"),
        ({"name": "x"}, "the input 'file' is missing"),
        ({"name": "x", "file": "/a", "cuont": 1}, "no input 'cuont'; did you mean 'count'?"),
        ({"name": "x", "file": "/a", "zzz": 1}, "no input 'zzz'; it takes name, file"),
        ({"name": 5, "file": "/a"}, "'name' must be text, not 5"),
        ({"name": "x", "file": "/a", "tags": ["t", 5]}, r"'tags\[1\]' must be text, not 5"),
        ({"name": "x", "file": "/a", "tags": "t"}, "'tags' must be a list"),
        ({"name": "x", "file": "/a", "extra": {"k": "v"}}, "'extra.k' must be a number"),
        ({"name": "x", "file": "/a", "url": 5}, "'url' must be a reference or text or nothing"),
    ],
    ids=str,
)
def test_each_mistake_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        bind(Inputs, values)


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        (int, 5, 5),
        (float, 5, 5.0),
        (float, 5.5, 5.5),
        (bool, True, True),
        (str, "", ""),
        (Path, "a", Path("a")),
        (int | None, None, None),
        (Literal["a", "b"], "b", "b"),
        (list[int], [1, 2], [1, 2]),
        (tuple[int, ...], [], ()),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (dict[str, Any], {"a": object}, {"a": object}),
        (Path | Reference, REFERENCE, REFERENCE),
        (Any, 1j, 1j),
    ],
    ids=str,
)
def test_values_that_fit(kind: Any, value: Any, made: Any) -> None:
    found = convert(kind, value, "x")
    assert found == made and type(found) is type(made)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "5"),
        (int, True),
        (int, 5.0),
        (float, True),
        (float, "5"),
        (bool, 1),
        (bool, "true"),
        (str, 5),
        (str, None),
        (Path, 5),
        (int | None, "x"),
        (Literal["a"], "b"),
        (list[int], "12"),
        (tuple[int, ...], {"a": 1}),
        (dict[str, int], [1]),
        (Reference, "${env:NAME}"),
    ],
    ids=str,
)
def test_values_that_do_not_fit(kind: Any, value: Any) -> None:
    with pytest.raises(BadInput, match="the input 'x' must be"):
        convert(kind, value, "x")


def test_a_secret_in_the_wrong_place_is_not_shown() -> None:
    with pytest.raises(BadInput, match="not a secret"):
        convert(int, Secret("hunter22"), "x")
