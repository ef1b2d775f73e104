"""`--output text|json|yaml`: plain data on standard output."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

from cbctl.render.clean import clean
from cbctl.render.words import value

Format = Literal["text", "json", "yaml"]


def text(data: object, format: Format) -> str:
    """`data` is what JSON knows: dict, list, str, int, float, bool, None. Order is kept."""
    match format:
        case "json":
            return json.dumps(data, indent=2, allow_nan=False) + "\n"
        case "yaml":
            import yaml

            return yaml.safe_dump(data, sort_keys=False, width=100)
        case "text":
            return "".join(line + "\n" for line in _lines(data))


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> list[str]:
    """Aligned columns under their names; numbers stand to the right."""
    if not rows:
        return []
    names = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [
        max(_width(line[at]) for line in [[clean(n) for n in names], *cells])
        for at in range(len(names))
    ]
    right = [all(_number(row.get(name)) for row in rows) for name in names]
    shown = [[clean(name).upper() for name in names], *cells]
    return ["  ".join(map(_padded, line, widths, right)).rstrip() for line in shown]


def _lines(data: object) -> list[str]:
    match data:
        case Mapping():
            return _fields(data)
        case list() | tuple() if data and all(isinstance(row, Mapping) for row in data):
            return table(data)
        case list() | tuple() if data:
            return [line for inner in data for line in _lines(inner)]
        case _:
            return [_cell(data)]


def _fields(data: Mapping[str, object]) -> list[str]:
    if not data:
        return ["-"]
    width = max(_width(clean(key)) for key in data) + 1
    lines: list[str] = []
    for key, inner in data.items():
        name = clean(key) + ":"
        if isinstance(inner, Mapping | list | tuple) and inner:
            lines += [name, *("  " + line for line in _lines(inner))]
        else:
            lines.append(f"{_padded(name, width, False)}  {_cell(inner)}")
    return lines


def _cell(data: object) -> str:
    if data is None or data in ("", [], {}):
        return "-"
    return value(data)


def _number(data: object) -> bool:
    return data is None or (isinstance(data, int | float) and not isinstance(data, bool))


def _width(text: str) -> int:
    """Columns that a terminal needs: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _padded(text: str, width: int, right: bool) -> str:
    room = " " * max(0, width - _width(text))
    return room + text if right else text + room
