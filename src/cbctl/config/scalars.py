"""What a scalar of YAML is by itself, and how it is spoken of in messages."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Meta

from cbctl.config.problem import shown
from cbctl.config.yaml_marks import Mapping, Node, Scalar, Sequence

# YAML 1.2 knows more spellings; these are the ones that nobody misreads.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
# What some reader of YAML takes for a number or a boolean, and another one for text.
_AMBIGUOUS = re.compile(
    r"[-+]?[0-9][0-9_]*|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9]+(?::[0-9]+)+|y|yes|n|no|on|off|true|false",
    re.IGNORECASE,
)
_LONGEST_INT = 40  # digits; a u128 has 39


def scalar_value(node: Scalar) -> bool | int | float | str | None:
    """What a scalar is by itself. Text when quoted, and when only some readers see a number."""
    text = node.text
    if not node.plain:
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text) and len(text) <= _LONGEST_INT:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= _LONGEST_INT:
        return float(text)
    return text


def is_ambiguous(node: Scalar) -> bool:
    """Whether some reader of YAML would see something else in it than we do."""
    return node.plain and _AMBIGUOUS.fullmatch(node.text) is not None


def found_text(node: Node, quote: bool = False) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    value = scalar_value(node)
    if value is None:
        return "nothing"
    kind: dict[type, str] = {bool: "the boolean", int: "the number", float: "the number"}
    name = kind.get(type(value), "the text")
    if quote:
        return f"{name} `{shown(node.text)}`"
    return {"the boolean": "a boolean", "the number": "a number"}.get(name, "text")


def whole_number(metas: tuple[Meta, ...]) -> str:
    low = next((m.ge for m in metas if m.ge is not None), None)
    high = next((m.le for m in metas if m.le is not None), None)
    return "a whole number" + (f" from {low} to {high}" if low is not None else "")


def violation(value: str | int | float | None, metas: tuple[Any, ...]) -> str:
    """What was expected instead of `value`, or nothing when it fits."""
    for meta in metas:
        if isinstance(value, int):
            if (meta.ge is not None and value < meta.ge) or (
                meta.le is not None and value > meta.le
            ):
                return whole_number(metas)
        # `$` would let a line feed at the end pass.
        elif not isinstance(value, str):
            continue
        elif meta.pattern is not None and ("\n" in value or not re.search(meta.pattern, value)):
            return meta.title or f"text like {meta.pattern}"
        elif meta.min_length is not None and len(value) < meta.min_length:
            return "text that is not empty"
    return ""
