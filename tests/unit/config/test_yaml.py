"""Where YAML readers differ or can be hurt."""

from __future__ import annotations

import pytest

from cbctl.config.scalars import scalar_value
from cbctl.config.yaml_marks import MAX_NODES, Mapping, Scalar, compose, merge


def tree(text: str) -> Mapping:
    node, problems = compose(text, "f")
    assert problems == []
    assert isinstance(node, Mapping)
    return node


def error(text: str) -> str:
    _, problems = compose(text, "f")
    return str(problems[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("n", "n"),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2026-11-22", "2026-11-22"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("=", "="),
        ("9" * 5000, "9" * 5000),
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", "Null"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  12", "12"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    node = tree(f"a: {text}").entries["a"].node
    assert isinstance(node, Scalar)
    found = scalar_value(node)
    assert found == value
    assert type(found) is type(value)


def test_on_is_a_key_like_any_other() -> None:
    assert list(tree("on: 1\nyes: 2\n12: 3\nnull: 4").entries) == ["on", "yes", "12", "null"]


def test_marks_count_characters_from_one() -> None:
    entry = tree("# é\nä: [x,\n  ü y]").entries["ä"]
    assert (entry.line, entry.column) == (2, 1)
    assert (entry.node.line, entry.node.column) == (2, 4)


def test_a_bom_and_windows_lines() -> None:
    assert list(tree("a: 1\r\nb: 2\r\n").entries) == ["a", "b"]


def test_alias_bombs_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert error("\n".join(lines)).endswith(f"more than {MAX_NODES} values, aliases written out")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        "a: " + "[" * 500 + "]" * 500,
        "- " * 50_000 + "x",
        "{a: " * 5_000,
        "? " * 50_000,
    ],
)
def test_depth_is_bounded(text: str) -> None:
    assert "nested more than 32 deep" in error(text)


def test_an_anchor_cannot_hold_itself() -> None:
    assert "has no anchor before it" in error("a: &x [*x]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "this is not YAML"),
        ("a: b: c", "f:1:5: this is not YAML"),
        ('a: "x', "this is not YAML"),
        ("a: @x", "f:1:4: this is not YAML"),
        ("%YAML 9.9\n---\na: 1", "this is not YAML"),
        ("a: 1\n...\n---\nb: 2", "a second document"),
        ("a: \ud800", "the character U+D800 is not allowed"),
    ],
)
def test_syntax(text: str, message: str) -> None:
    assert message in error(text)


def test_merge() -> None:
    base = tree("a: {x: 1, y: {p: 1, q: 2}}\nb: [1, 2]\nc: 3\nd: 4")
    over = tree("a: {y: {q: 5}, z: 6}\nb: [9]\nc: null\ne: null")
    merged = merge(base, over)

    def plain(node: object) -> object:
        if isinstance(node, Mapping):
            return {key: plain(entry.node) for key, entry in node.entries.items()}
        return scalar_value(node) if isinstance(node, Scalar) else "list"

    # A list replaces a list; null drops what was inherited, and stays null where nothing was.
    expected = {"a": {"x": 1, "y": {"p": 1, "q": 5}, "z": 6}, "b": "list", "d": 4, "e": None}
    assert plain(merged) == expected
    assert isinstance(merged, Mapping)
    assert [key for key, entry in merged.entries.items() if entry.inherited] == ["d"]


def test_a_reference_is_plain_text() -> None:
    """Neither `?` nor `#` inside of one means anything to YAML."""
    texts = ["${env:X?}", "${secret:n#k}"]
    entries = tree(f"a: {texts[0]}\nb: {texts[1]} # comment").entries
    assert [getattr(entry.node, "text", "") for entry in entries.values()] == texts
