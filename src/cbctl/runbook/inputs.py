"""Makes a step's inputs, a frozen dataclass, from plain values."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cbctl.config.types import Reference, Secret


class BadInput(ValueError):
    """Which input is wrong, and what was expected."""


def bind(inputs: type[Any], values: Mapping[str, Any]) -> Any:
    """An instance of `inputs`. Raises BadInput for what is unknown, missing or of a wrong type.

    None is what a setting has that was left out: where an input has to be something, it is the
    input's default."""
    hints = get_type_hints(inputs)
    fields = {f.name: f for f in dataclasses.fields(inputs)}
    for name in values:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(fields)}"
            raise BadInput(f"there is no input {name!r}{hint}")
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if values.get(name) is None and _has_default(field) and not _takes_none(hints[name]):
            continue
        if name in values:
            made[name] = convert(hints[name], values[name], name)
        elif not _has_default(field):
            raise BadInput(f"the input {name!r} is missing")
    return inputs(**made)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _takes_none(kind: Any) -> bool:
    return kind is Any or type(None) in get_args(kind)


def convert(kind: Any, value: Any, name: str) -> Any:
    """`value` as the type `kind`; nothing is guessed: a text is no number."""
    if kind is Any:
        return value
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        for one in inner:
            try:
                return convert(one, value, name)
            except BadInput:
                continue
        raise _wrong(name, " or ".join(_named(i) for i in inner), value)
    if origin is Literal:
        if value in inner:
            return value
        raise _wrong(name, "one of " + ", ".join(map(str, inner)), value)
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            raise _wrong(name, "a list", value)
        items = [
            convert(inner[0] if inner else Any, v, f"{name}[{i}]") for i, v in enumerate(value)
        ]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, Mapping):
            raise _wrong(name, "a mapping", value)
        return {str(k): convert(inner[1], v, f"{name}.{k}") for k, v in value.items()}
    if kind is Path:
        if isinstance(value, str | Path):
            return Path(value)
        raise _wrong(name, "a path", value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, bool):
        raise _wrong(name, "a number", value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise _wrong(name, _named(kind), value)


def _wrong(name: str, expected: str, value: Any) -> BadInput:
    shown = "a secret" if isinstance(value, Secret) else repr(value)
    return BadInput(f"the input {name!r} must be {expected}, not {shown}")


def _named(kind: Any) -> str:
    names = {str: "text", int: "a number", bool: "true or false", type(None): "nothing"}
    names |= {Reference: "a reference", Path: "a path"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))
