"""One value has one way to be written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbctl.config.types import Reference, Secret
from cbctl.engine.canonical import canonical, plain, recordable, sha256

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@dataclass(frozen=True)
class Point:
    x: int
    where: Path


class Struct(msgspec.Struct):
    a: tuple[int, ...]
    b: Any = None


@given(JSON)
def test_what_was_written_is_read_back(value: Any) -> None:
    assert msgspec.json.decode(canonical(value)) == value
    assert b"\n" not in canonical(value)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_count(value: dict[str, int]) -> None:
    other = dict(reversed(list(value.items())))
    assert canonical(other) == canonical(value) and sha256(other) == sha256(value)


def test_types_of_ours_become_plain() -> None:
    value = Struct((1, 2), {"p": Point(3, Path("/x")), "r": Reference("env", "NAME")})
    assert plain(value) == {
        "a": [1, 2],
        "b": {"p": {"x": 3, "where": "/x"}, "r": "${env:NAME}"},
    }
    assert plain({"b", "a"}) == ["a", "b"]


@pytest.mark.parametrize("value", [object(), b"bytes", 1j, Secret("x"), {"deep": [Secret("x")]}])
def test_what_has_no_place_in_a_record_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="has no place in a record"):
        recordable(value)


def test_text_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        recordable({"path": "\ud800"})
