"""What a runbook may say instead of a value, and when a step is chosen.

A reference is a whole value `${ROOT.path}` with the roots inputs, env, steps and release. (With a
colon, `${env:NAME}`, it is a reference of the configuration and none of these.) A condition knows
paths, words, `==`, `!=`, `in [a, b]` and `and`, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ROOTS = ("inputs", "env", "steps", "release")

_PATH = re.compile(rf"({'|'.join(ROOTS)})((?:\.[A-Za-z0-9_-]+)+)")
_REFERENCE = re.compile(rf"\$\{{{_PATH.pattern}\}}")
_CLAUSE = re.compile(r"(\S+)\s+(==|!=|in)\s+(.+)")
_WORD = re.compile(r"[A-Za-z0-9_.:/-]+")


class BadExpression(ValueError):
    """What is wrong, in words for the author of the runbook."""


@dataclass(frozen=True)
class Path:
    """`env.api.on` as ("env", ("api", "on"))."""

    root: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.root, *self.parts))


def reference(text: str) -> Path | None:
    """The path that `${…}` names, or None for an ordinary value."""
    found = _REFERENCE.fullmatch(text)
    if found:
        return Path(found[1], tuple(found[2][1:].split(".")))
    if re.search(r"\$\{[^}:]*(\}|$)", text):
        raise BadExpression(
            f"{text!r}: a reference is the whole value, "
            "${inputs.X}, ${env.X}, ${steps.ID.X} or ${release.X}"
        )
    return None


def references(value: Any) -> Iterator[Path]:
    """All references anywhere in a value."""
    if isinstance(value, str):
        path = reference(value)
        if path:
            yield path
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def resolve(value: Any, roots: Mapping[str, Any]) -> Any:
    """The value with every reference replaced by what it names, of whatever type."""
    if isinstance(value, str):
        path = reference(value)
        return value if path is None else follow(path, roots)
    if isinstance(value, Mapping):
        return {k: resolve(v, roots) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(v, roots) for v in value]
    return value


def follow(path: Path, roots: Mapping[str, Any]) -> Any:
    value: Any = roots.get(path.root)
    seen = path.root
    for part in path.parts:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif not isinstance(value, Mapping) and part in _fields(value):
            value = getattr(value, part)
        else:
            known = sorted(value) if isinstance(value, Mapping) else sorted(_fields(value))
            raise BadExpression(f"{seen} has no {part!r}; it has {', '.join(known) or 'nothing'}")
        seen += f".{part}"
    return value


@dataclass(frozen=True)
class Clause:
    """`PATH == WORD`, `PATH != WORD` or `PATH in [WORD, …]`; a word may be a path as well."""

    left: Path
    operator: str
    words: tuple[str, ...]


def clauses(condition: str) -> tuple[Clause, ...]:
    """Raises BadExpression for what is no condition, before anything is looked up."""
    return tuple(_clause(c.strip()) for c in re.split(r"\s+and\s+", condition.strip()))


def holds(condition: str, roots: Mapping[str, Any]) -> bool:
    """Whether all clauses of a condition are true."""
    return all(_true(clause, roots) for clause in clauses(condition))


def _clause(text: str) -> Clause:
    found = _CLAUSE.fullmatch(text)
    if not found:
        raise BadExpression(
            f"{text!r}: a condition is `PATH == WORD`, `PATH != WORD` or `PATH in [A, B]`"
        )
    left = _path(found[1])
    if left is None:
        raise BadExpression(f"{found[1]!r} is no path; one begins with {', '.join(ROOTS)}")
    words = [found[3].strip()]
    if found[2] == "in":
        if not (words[0].startswith("[") and words[0].endswith("]")):
            raise BadExpression(f"{text!r}: `in` wants a list, [A, B]")
        words = [w.strip() for w in words[0][1:-1].split(",")]
    for word in words:
        if not _WORD.fullmatch(word):
            raise BadExpression(f"{word!r} is neither a path nor a word")
    return Clause(left, found[2], tuple(words))


def _true(clause: Clause, roots: Mapping[str, Any]) -> bool:
    left = follow(clause.left, roots)
    found = any(_same(left, _operand(word, roots)) for word in clause.words)
    return found != (clause.operator == "!=")


def _same(one: Any, other: Any) -> bool:
    """true is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _operand(word: str, roots: Mapping[str, Any]) -> Any:
    path = _path(word)
    if path:
        return follow(path, roots)
    match word:
        case "true":
            return True
        case "false":
            return False
        case "null":
            return None
    return int(word) if re.fullmatch(r"-?[0-9]+", word) else word


def _path(text: str) -> Path | None:
    found = _PATH.fullmatch(text)
    return Path(found[1], tuple(found[2][1:].split("."))) if found else None


def _fields(value: Any) -> tuple[str, ...]:
    """Fields of a dataclass or msgspec struct."""
    fields = getattr(value, "__struct_fields__", ()) or getattr(value, "__dataclass_fields__", ())
    return tuple(fields)
