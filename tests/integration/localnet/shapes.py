"""Whether an answer has the members and types that the documentation gives it."""

from __future__ import annotations

from typing import Any, NamedTuple


class OneOf(NamedTuple):
    """Any of several shapes."""

    shapes: tuple[Any, ...]


def either(*shapes: Any) -> OneOf:
    return OneOf(shapes)


def or_null(shape: Any) -> OneOf:
    return OneOf((shape, None))


class Map(NamedTuple):
    """An object whose names are data, and every value of one shape."""

    values: Any


def differences(value: Any, shape: Any, path: str = "result") -> list[str]:
    """Every place where the value is not of the shape; empty when it is.

    A shape is a type, None, a literal, [shape] for a list of any length, (shape, …) for a list of
    just that, {name: shape} for an object with exactly these members (`name?` may be missing), or
    one of the classes above.
    """
    if isinstance(shape, OneOf):
        found = [differences(value, item, path) for item in shape.shapes]
        return [] if any(not item for item in found) else min(found, key=len)
    if isinstance(shape, Map):
        if not isinstance(value, dict):
            return [f"{path}: no object but {value!r}"]
        return [d for k, v in value.items() for d in differences(v, shape.values, f"{path}.{k}")]
    if isinstance(shape, dict):
        return _members(value, shape, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path}: no list but {value!r}"]
        return [
            d for n, item in enumerate(value) for d in differences(item, shape[0], f"{path}[{n}]")
        ]
    if isinstance(shape, tuple):
        if not isinstance(value, list) or len(value) != len(shape):
            return [f"{path}: no list of {len(shape)} but {value!r}"]
        pairs = zip(value, shape, strict=True)
        return [d for n, (v, s) in enumerate(pairs) for d in differences(v, s, f"{path}[{n}]")]
    if isinstance(shape, type):
        # A bool is an int to Python, and a whole float is written as an int by some.
        right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        return [] if right else [f"{path}: no {shape.__name__} but {value!r}"]
    return [] if value == shape else [f"{path}: not {shape!r} but {value!r}"]


def _members(value: Any, shape: dict[str, Any], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: no object but {value!r}"]
    wanted = {name.removesuffix("?"): item for name, item in shape.items()}
    needed = {name for name in shape if not name.endswith("?")}
    found = [f"{path}: lacks {name}" for name in sorted(needed - set(value))]
    found += [f"{path}: has {name} too" for name in sorted(set(value) - set(wanted))]
    for name in sorted(set(value) & set(wanted)):
        found += differences(value[name], wanted[name], f"{path}.{name}")
    return found
