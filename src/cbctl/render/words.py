"""How values, changes and durations are written, the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cbctl.render.clean import clean

_SHORTEST = 9


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 2 min 5 s, 1 h 3 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = whole // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"


def value(data: object) -> str:
    """One JSON value on one line; text stands without quotes unless it would be misread."""
    match data:
        case None:
            return "none"
        case bool():
            return "true" if data else "false"
        case int() | float():
            return str(data)
        case str():
            return clean(data) if data.strip() == data and data else clean(f'"{data}"')
        case _:
            return clean(json.dumps(data, ensure_ascii=False, separators=(", ", ": "), default=str))


def short(text: str, limit: int) -> str:
    """At most `limit` characters: the start and the end, which tell hashes and paths apart."""
    limit = max(limit, _SHORTEST)
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"


def pair(before: str, after: str, limit: int) -> tuple[str, str]:
    """Both within `limit`, and never alike when they differ."""
    one, two = short(before, limit), short(after, limit)
    if one != two or before == after:
        return one, two
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, same - 4)
    room = max(limit, _SHORTEST) - 2
    return _window(before, start, room), _window(after, start, room)


def change(data: Mapping[str, object], width: int = 76) -> str:
    """`~ what: before → after`, `+ what: after` for what is new, `- what: before` for what goes."""
    what = clean(data.get("what", "?"))
    before, after = data.get("before"), data.get("after")
    room = width - len(what) - 4
    match (before is None, after is None):
        case (True, True):
            return f"~ {what}"
        case (True, False):
            return f"+ {what}: {short(value(after), room)}"
        case (False, True):
            return f"- {what}: {short(value(before), room)}"
    one, two = value(before), value(after)
    if len(one) + len(two) + 3 > room:
        half = (room - 3) // 2
        # what one of them does not need is room for the other
        one, two = pair(one, two, max(half, room - 3 - min(len(one), len(two))))
    return f"~ {what}: {one} → {two}"


def changed(changes: object, width: int = 76) -> list[str]:
    if not isinstance(changes, list | tuple):
        return []
    return [change(c, width) for c in changes if isinstance(c, Mapping)]


def _window(text: str, start: int, room: int) -> str:
    end = start + room
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
