"""YAML as a tree whose every node knows its line and column.

A strict part of YAML 1.2: one document, text keys, no tags, no merge keys (environments inherit
from `defaults` instead), anchors and aliases within bounds. Nothing is converted here: a plain
`yes`, `on`, `0123` or `12:30:00` is just text until somebody expects a type.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import yaml

from cbctl.config.problem import Problem, near, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
# Counted with every alias written out, so that aliases of aliases cannot explode.
MAX_NODES = 20_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(msgspec.Struct):
    text: str
    plain: bool  # without quotes
    line: int
    column: int


class Entry(msgspec.Struct):
    """One key of a mapping with its value; the marks are the key's."""

    node: Node
    line: int
    column: int
    inherited: bool = False  # came from `defaults`


class Mapping(msgspec.Struct):
    entries: dict[str, Entry]
    line: int
    column: int


class Sequence(msgspec.Struct):
    items: list[Node]
    line: int
    column: int


Node = Scalar | Mapping | Sequence


class Fatal(Exception):
    """Reading stops here: what follows cannot be told apart."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


def compose(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of a document and all that is wrong with its form; no tree: it cannot be read."""
    problems: list[Problem] = []
    try:
        odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
        if odd is not None:
            line = text.count("\n", 0, odd.start()) + 1
            column = odd.start() - text.rfind("\n", 0, odd.start())
            raise Fatal(line, column, f"the character U+{ord(odd[0]):04X} is not allowed")
        return _Composer(text, file, problems).document(), problems
    except Fatal as error:
        problems.append(Problem(file, error.line, error.column, "", error.message))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problems.append(Problem(file, line, column, "", _syntax(error, text, line, column)))
    except yaml.YAMLError:
        problems.append(Problem(file, 0, 0, "", "this is not YAML"))
    return None, problems


def _syntax(error: yaml.MarkedYAMLError, text: str, line: int, column: int) -> str:
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or here[column - 1 : column] == "\t":
        return "a tab cannot indent; use spaces"
    parts = [part for part in (error.problem, error.context) if part]
    return f"this is not YAML: {', '.join(parts) or 'syntax error'}"


class _Composer:
    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_LOADER))
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.count = 0

    def document(self) -> Node:
        next(self.events)  # start of the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise Fatal(0, 0, "the file is empty")
        tree = self.node(next(self.events), 0)
        next(self.events)  # end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise Fatal(*_mark(event), "a second document: there is one per file")
        return tree

    def node(self, event: yaml.Event, depth: int) -> Node:
        line, column = _mark(event)
        if depth > MAX_DEPTH:
            raise Fatal(line, column, f"nested more than {MAX_DEPTH} deep")
        self.grow(1, line, column)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, line, column)
        assert isinstance(event, yaml.NodeEvent)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.problem(line, column, f"tags are not used here: `{shown(tag)}`")
        before = self.count
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            plain = bool(event.implicit and event.implicit[0] and not event.style)
            node = Scalar(event.value, plain, line, column)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Sequence([], line, column)
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                node.items.append(self.node(item, depth + 1))
        else:
            node = Mapping({}, line, column)
            self.mapping(node, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - before)
        return node

    def mapping(self, node: Mapping, depth: int) -> None:
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if not isinstance(key, Scalar):
                self.problem(key.line, key.column, "a key is a name, not a list or mapping")
                continue
            # An aliased key is where the alias stands, not where the anchor does.
            line, column = _mark(event)
            if key.text == "<<" and key.plain:
                self.problem(
                    line,
                    column,
                    "merge keys (`<<`) are not supported: what environments share stands in"
                    " `defaults`, and a whole section can be repeated by an alias",
                )
            elif key.text in node.entries:
                first = node.entries[key.text]
                self.problem(
                    line,
                    column,
                    f"duplicate key `{shown(key.text)}`; the first is in line {first.line}",
                )
            else:
                node.entries[key.text] = Entry(value, line, column)

    def alias(self, event: yaml.AliasEvent, line: int, column: int) -> Node:
        name = event.anchor or ""
        found = self.anchors.get(name)
        if found is None:
            hint = near(name, self.anchors)
            raise Fatal(line, column, f"the alias `*{shown(name)}` has no anchor before it{hint}")
        self.grow(found[1], line, column)
        return found[0]

    def grow(self, count: int, line: int, column: int) -> None:
        self.count += count
        if self.count > MAX_NODES:
            raise Fatal(line, column, f"more than {MAX_NODES} values, aliases written out")

    def problem(self, line: int, column: int, message: str) -> None:
        self.problems.append(Problem(self.file, line, column, "", message))


def _mark(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null")


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`: mappings key by key, everything else replaced; null drops."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    entries: dict[str, Entry] = {}
    for key, entry in base.entries.items():
        above = over.entries.get(key)
        if above is None:
            entries[key] = Entry(entry.node, entry.line, entry.column, inherited=True)
        elif not is_null(above.node):
            entries[key] = Entry(merge(entry.node, above.node), above.line, above.column)
    for key, entry in over.entries.items():
        if key not in base.entries:
            entries[key] = entry
    return Mapping(entries, over.line, over.column)
