"""A YAML tree becomes the struct that was asked for, and every mismatch becomes a problem.

What was found is quoted only where the setting cannot be a reference: somebody may have pasted a
password where `${env:…}` belongs.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from cbctl.config.problem import Problem, near, shown
from cbctl.config.reference import BadReference, Reference, parse
from cbctl.config.scalars import found_text, is_ambiguous, scalar_value, violation, whole_number
from cbctl.config.settings import FILLED_IN
from cbctl.config.urls import expanded
from cbctl.config.yaml_marks import Mapping, Node, Scalar, Sequence, is_null

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Marks = dict[str, tuple[int, int, str]]


class Missing:
    """In place of a value that could not be read; its problem is recorded."""


MISSING = Missing()


class _Argument:
    """Stands for the recursive type `Argument`, which reads itself."""


class Place(msgspec.Struct):
    """Where a value stands: the path to it, the path to show, the marks of its key."""

    path: str
    key: str
    line: int
    column: int

    def child(self, name: str, line: int, column: int, key: str = "") -> Place:
        def join(path: str) -> str:
            return f"{path}.{name}" if path else name

        return Place(join(self.path), key or join(self.key), line, column)


class Reader:
    """Reads one file. `marks` tells afterwards where each setting stands and how it is called."""

    def __init__(self, file: str, folder: Path, problems: list[Problem]) -> None:
        self.file = file
        self.folder = folder
        self.problems = problems
        self.marks: Marks = {}

    def problem(self, place: Place, message: str, node: Node | None = None) -> Missing:
        line, column = (node.line, node.column) if node is not None else (place.line, place.column)
        self.problems.append(Problem(self.file, line, column, place.key, message))
        return MISSING

    def struct(self, cls: type[msgspec.Struct], node: Node, place: Place, **filled: Any) -> Any:
        """An instance of `cls`, or MISSING. `filled` goes to the fields of FILLED_IN."""
        if not isinstance(node, Mapping):
            return self.problem(place, f"expected a mapping, found {found_text(node)}", node)
        hidden = FILLED_IN.get(cls, frozenset())
        fields = {f.encode_name: f for f in fields_of(cls) if f.name not in hidden}
        values: dict[str, Any] = dict(filled)
        broken = self.unknown(node, list(fields), place)
        for name, field in fields.items():
            entry = node.entries.get(name)
            if entry is None:
                if field.required:
                    self.problem(place, f"`{name}` is missing")
                    broken = True
                continue
            # An inherited entry is reported where it stands: under `defaults`.
            key = _default_key(place.key, name) if entry.inherited else ""
            inner = place.child(name, entry.line, entry.column, key)
            value = self.value(field.type, entry.node, inner)
            broken = broken or value is MISSING
            values[field.name] = value
        return MISSING if broken else cls(**values)

    def unknown(self, node: Mapping, names: list[str], place: Place) -> bool:
        """Whether the mapping has keys besides `names`; each is a problem."""
        broken = False
        for key, entry in node.entries.items():
            if key not in names:
                hint = near(key, names) or f"; there are {', '.join(names)}"
                shown_key = _default_key(place.key, "") if entry.inherited else place.key
                self.problem(
                    Place("", shown_key.rstrip("."), entry.line, entry.column),
                    f"unknown key `{shown(key)}`{hint}",
                )
                broken = True
        return broken

    def value(self, kind: Any, node: Node, place: Place, metas: tuple[Meta, ...] = ()) -> Any:
        """The node as a `kind`, or MISSING."""
        self.marks[place.path] = (node.line, node.column, place.key)
        if get_origin(kind) is Annotated:
            inner, *extras = get_args(kind)
            more = tuple(extra for extra in extras if isinstance(extra, Meta))
            return self.value(inner, node, place, metas + more)
        if kind is _Argument:
            return self.argument(node, place)
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self.union(get_args(kind), node, place, metas)
        if origin is Literal:
            return self.literal(get_args(kind), node, place)
        if origin is tuple:
            return self.sequence(get_args(kind)[0], node, place)
        if origin is dict:
            keys, values = get_args(kind)
            return self.mapping(keys, values, node, place, metas)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Reference:
            return self.struct(kind, node, place)
        return self.scalar(kind, node, place, metas)

    def union(
        self, kinds: tuple[Any, ...], node: Node, place: Place, metas: tuple[Meta, ...]
    ) -> Any:
        rest = tuple(kind for kind in kinds if kind is not type(None))
        if is_null(node) and len(rest) < len(kinds):
            return None
        if len(rest) == 1:
            return self.value(rest[0], node, place, metas)
        if set(rest) == {str, Reference}:
            return self.text(node, place, metas, reference=True)
        return self.argument(node, place)

    def literal(self, choices: tuple[Any, ...], node: Node, place: Place) -> Any:
        found = scalar_value(node) if isinstance(node, Scalar) else None
        if found in choices and type(found) in {type(choice) for choice in choices}:
            return found
        names = [str(choice) for choice in choices]
        expected = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
        hint = near(node.text, names) if isinstance(node, Scalar) else ""
        return self.problem(
            place, f"expected {expected}, found {found_text(node, True)}{hint}", node
        )

    def sequence(self, kind: Any, node: Node, place: Place) -> Any:
        if not isinstance(node, Sequence):
            return self.problem(place, f"expected a list, found {found_text(node)}", node)
        values = [
            self.value(kind, item, place.child(str(index), item.line, item.column))
            for index, item in enumerate(node.items)
        ]
        return MISSING if any(v is MISSING for v in values) else tuple(values)

    def mapping(
        self, keys: Any, kind: Any, node: Node, place: Place, metas: tuple[Meta, ...]
    ) -> Any:
        if not isinstance(node, Mapping):
            return self.problem(place, f"expected a mapping, found {found_text(node)}", node)
        if not node.entries and any(meta.min_length for meta in metas):
            return self.problem(place, "expected at least one entry", node)
        result: dict[str, Any] = {}
        key_metas = get_args(keys)[1:] if get_origin(keys) is Annotated else ()
        for key, entry in node.entries.items():
            shown_key = _default_key(place.key, shown(key)) if entry.inherited else ""
            inner = place.child(shown(key), entry.line, entry.column, shown_key)
            wrong = violation(key, key_metas)
            if wrong:
                self.problem(inner, f"the key is not well-formed: expected {wrong}")
                result[key] = MISSING
            else:
                result[key] = self.value(kind, entry.node, inner)
        return MISSING if any(v is MISSING for v in result.values()) else result

    def scalar(self, kind: Any, node: Node, place: Place, metas: tuple[Meta, ...]) -> Any:
        if kind is str:
            return self.text(node, place, metas, reference=False)
        if kind is Path:
            text = self.text(node, place, (Meta(min_length=1),), reference=False)
            return text if text is MISSING else (self.folder / expanded(text)).absolute()
        if kind is Reference:
            found = self.text(node, place, (), reference=True)
            if found is MISSING or isinstance(found, Reference):
                return found
            return self.problem(place, "expected a reference such as ${env:NAME}, found text", node)
        value = scalar_value(node) if isinstance(node, Scalar) else None
        if type(value) is not kind:
            expected = "true or false" if kind is bool else whole_number(metas)
            return self.problem(place, f"expected {expected}, found {found_text(node, True)}", node)
        wrong = violation(value, metas)
        if wrong:
            return self.problem(place, f"expected {wrong}, found {found_text(node, True)}", node)
        return value

    def text(self, node: Node, place: Place, metas: tuple[Meta, ...], *, reference: bool) -> Any:
        """Text, and where allowed a Reference; a plain number or boolean is not text."""
        expected = "text or a reference" if reference else "text"
        if not isinstance(node, Scalar) or not isinstance(scalar_value(node), str):
            hint = " (put it in quotes)" if isinstance(node, Scalar) and not is_null(node) else ""
            found = found_text(node, not reference)
            return self.problem(place, f"expected {expected}, found {found}{hint}", node)
        if reference or "${" in node.text:
            found_reference = self.reference(node, place)
            if found_reference is MISSING:
                return MISSING
            if found_reference is not None:
                if reference:
                    return found_reference
                return self.problem(place, "expected text, found a reference", node)
        wrong = violation(node.text, metas)
        if wrong:
            found = found_text(node, not reference)
            return self.problem(place, f"expected {wrong}, found {found}", node)
        # A value may have lines (a certificate); a name or path is shown in one line.
        if _CONTROL.search(node.text) or not (reference or node.text.isprintable()):
            return self.problem(place, "has a character that cannot be printed", node)
        return node.text

    def reference(self, node: Scalar, place: Place) -> Any:
        try:
            where = f"{self.file}:{node.line}:{node.column}"
            return parse(node.text, where=where, setting=place.key)
        except BadReference as error:
            return self.problem(place, str(error), node)

    def argument(self, node: Node, place: Place) -> Any:
        """An argument of an instruction: nothing is guessed, the IDL says what it must be."""
        if isinstance(node, Mapping):
            return self.mapping(str, _Argument, node, place, ())
        if isinstance(node, Sequence):
            values = self.sequence(_Argument, node, place)
            return values if values is MISSING else list(values)
        value = scalar_value(node)
        if isinstance(value, str):
            if is_ambiguous(node):
                message = "unclear: write a decimal number, true, false, or text in quotes"
                return self.problem(place, message, node)
            return self.text(node, place, (), reference=True)
        if isinstance(value, float):
            expected = "a whole number, true, false, text or a reference"
            return self.problem(place, f"expected {expected}, found {found_text(node)}", node)
        return value


_FIELDS: dict[type, tuple[Any, ...]] = {}


def fields_of(cls: type[msgspec.Struct]) -> tuple[Any, ...]:
    """The fields with resolved types; resolving is slow, so once per class."""
    if cls not in _FIELDS:
        _FIELDS[cls] = msgspec.structs.fields(cls)
    return _FIELDS[cls]


def _default_key(key: str, name: str) -> str:
    """`environments.NAME.a` → `defaults.a`: where an inherited setting really stands."""
    parts = key.split(".")
    rest = parts[2:] if parts[0] == "environments" else parts[1:]
    return ".".join(["defaults", *rest, name])
