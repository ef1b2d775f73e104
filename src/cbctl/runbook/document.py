"""A runbook file as typed data, every mistake with its line.

version: 1
name: deploy
summary: one line
inputs:                        # what the caller may give: name: default (null: none)
requires:                      # refused (exit 7) unless the condition holds
  - that: env.api.on == local
    else: why it cannot go on
steps:
  - id: api                    # unique in the file
    step: local.api            # a step of the catalogue
    when: env.api.on == local  # left out unless it holds
    needs: [migrate]           # ids; those that were left out by `when` count as done
    with: {port: "${env.api.port}"}
    proves: true               # runs when the release is recorded, provisional until it is done
release:                       # what a release of this runbook consists of
  api: ${steps.api.artifact}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbctl.config import yaml_marks as yaml
from cbctl.config.problem import ConfigError, Problem, near
from cbctl.errors import CbctlError, Exit
from cbctl.runbook import expression
from cbctl.runbook.catalogue import STEPS

_ID = re.compile(r"[a-z][a-z0-9-]*")
_PROVES = "only a step that proves it too may come after that"
_INT = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True)
class Gate:
    that: str
    otherwise: str
    line: int


@dataclass(frozen=True)
class StepEntry:
    id: str
    step: str
    line: int
    when: str = ""
    needs: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    proves: bool = False


@dataclass(frozen=True)
class Runbook:
    """sha256 is that of the file."""

    name: str
    summary: str
    path: Path
    sha256: str
    inputs: Mapping[str, Any]
    requires: tuple[Gate, ...]
    steps: tuple[StepEntry, ...]
    release: Mapping[str, Any]


def shipped() -> Path:
    """The folder of the runbooks that come with cbctl, installed or in a checkout."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "runbooks"
    return installed if installed.is_dir() else here.parents[1] / "runbooks"


def find(name: str, own: Path | None) -> Path:
    """The file of a runbook; a team's own folder comes first."""
    folders = [f for f in (own, shipped()) if f is not None]
    for folder in folders:
        if (path := folder / f"{name}.yaml").is_file():
            return path
    names = sorted({p.stem for f in folders if f.is_dir() for p in f.glob("*.yaml")})
    raise CbctlError(
        f"there is no runbook {name!r}{near(name, names)}",
        exit=Exit.USAGE,
        fix="there are: " + ", ".join(names),
    )


def read(path: Path) -> Runbook:
    """Raises ConfigError (exit 64) with everything that is wrong in the file."""
    data = path.read_bytes()
    text = data.decode("utf-8", "replace")
    tree, problems = yaml.compose(text, str(path))
    if tree is None and not problems:
        problems.append(Problem(str(path), 1, 1, "", "the file is empty"))
    reader = _Reader(str(path), problems)
    book = reader.runbook(tree, path, hashlib.sha256(data).hexdigest()) if tree else None
    if problems or book is None:
        raise ConfigError(problems)
    return book


class _Reader:
    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file, self.problems = file, problems

    def bad(self, node: Any, key: str, message: str) -> None:
        self.problems.append(Problem(self.file, node.line, node.column, key, message))

    def runbook(self, tree: yaml.Node, path: Path, sha256: str) -> Runbook | None:
        known = ("version", "name", "summary", "inputs", "requires", "steps", "release")
        top = self.mapping(tree, "", known)
        if top is None:
            return None
        if self.value(top.get("version"), "version") != 1:
            self.bad(top.get("version") or tree, "version", "must be 1")
        if "steps" not in top:
            self.bad(tree, "steps", "is missing")
        steps = [self.step(node, f"steps[{i}]") for i, node in enumerate(self.items(top, "steps"))]
        gates = [self.gate(n, f"requires[{i}]") for i, n in enumerate(self.items(top, "requires"))]
        entries = tuple(s for s in steps if s)
        inputs, release = self.values(top, "inputs"), self.values(top, "release")
        self.check(entries, inputs, release, tree)
        return Runbook(
            name=self.text(top.get("name"), "name") or path.stem,
            summary=self.text(top.get("summary"), "summary"),
            path=path,
            sha256=sha256,
            inputs=inputs,
            requires=tuple(g for g in gates if g),
            steps=entries,
            release=release,
        )

    def step(self, node: yaml.Node, key: str) -> StepEntry | None:
        entry = self.mapping(node, key, ("id", "step", "when", "needs", "with", "proves"))
        if entry is None:
            return None
        id, name = self.text(entry.get("id"), f"{key}.id"), self.text(entry.get("step"), key)
        if not _ID.fullmatch(id):
            self.bad(entry.get("id") or node, f"{key}.id", "wants lower case letters, digits and -")
        if name not in STEPS:
            there = near(name, STEPS) or f"; there are {', '.join(STEPS)}"
            self.bad(entry.get("step") or node, f"{key}.step", f"there is no step {name!r}{there}")
        needs = self.value(entry.get("needs"), f"{key}.needs") or []
        inputs = self.value(entry.get("with"), f"{key}.with") or {}
        if not isinstance(needs, list) or not all(isinstance(n, str) for n in needs):
            self.bad(entry["needs"], f"{key}.needs", "must be a list of step ids")
            needs = []
        if not isinstance(inputs, dict):
            self.bad(entry["with"], f"{key}.with", "must be a mapping of inputs")
            inputs = {}
        proves = self.value(entry.get("proves"), f"{key}.proves") or False
        if not isinstance(proves, bool):
            self.bad(entry["proves"], f"{key}.proves", "must be true or false")
            proves = False
        when = self.condition(entry.get("when"), f"{key}.when")
        return StepEntry(id, name, node.line, when, tuple(needs), inputs, proves)

    def gate(self, node: yaml.Node, key: str) -> Gate | None:
        entry = self.mapping(node, key, ("that", "else"))
        if entry is None:
            return None
        that = self.condition(entry.get("that"), f"{key}.that")
        otherwise = self.text(entry.get("else"), key)
        if not that or not otherwise:
            self.bad(node, key, "wants `that:` and `else:`")
        return Gate(that, otherwise, node.line)

    def check(
        self,
        entries: tuple[StepEntry, ...],
        inputs: Mapping[str, Any],
        release: Mapping[str, Any],
        tree: yaml.Node,
    ) -> None:
        """Names that do not exist, references backwards, circles."""
        ids: list[str] = []
        proving = {entry.id for entry in entries if entry.proves}
        for entry in entries:
            at = yaml.Scalar(entry.id, True, entry.line, 1)
            if entry.id in ids:
                self.bad(at, entry.id, "this id is used twice")
            for need in entry.needs:
                if need not in ids:
                    hint = near(need, ids)
                    self.bad(at, f"{entry.id}.needs", f"no step {need!r} stands before it{hint}")
                elif need in proving and not entry.proves:
                    self.bad(at, f"{entry.id}.needs", f"{need} runs after the release: {_PROVES}")
            try:
                for path in expression.references(entry.inputs):
                    if path.root == "steps" and path.parts[0] not in ids:
                        self.bad(at, entry.id, f"{path}: no such step stands before it")
                    if path.root == "steps" and path.parts[0] in proving and not entry.proves:
                        self.bad(at, entry.id, f"{path} is known after the release: {_PROVES}")
                    if path.root == "inputs" and path.parts[0] not in inputs:
                        self.bad(at, entry.id, f"{path}: the runbook has no such input")
            except expression.BadExpression as error:
                self.bad(at, entry.id, str(error))
            ids.append(entry.id)
        try:
            for path in expression.references(release):
                if path.root == "steps" and path.parts[0] not in ids:
                    self.bad(tree, "release", f"{path}: there is no such step")
                if path.root == "steps" and path.parts[0] in proving:
                    self.bad(tree, "release", f"{path} is known after the release only")
        except expression.BadExpression as error:
            self.bad(tree, "release", str(error))

    # -- nodes ------------------------------------------------------------------------------

    def mapping(
        self, node: yaml.Node, key: str, known: tuple[str, ...]
    ) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.Mapping):
            self.bad(node, key, "must be a mapping")
            return None
        for name, entry in node.entries.items():
            if name not in known:
                hint = near(name, known) or f"; there are {', '.join(known)}"
                self.bad(entry, key, f"unknown key `{name}`{hint}")
        return {name: entry.node for name, entry in node.entries.items()}

    def values(self, top: dict[str, yaml.Node], key: str) -> dict[str, Any]:
        """Plain data by name."""
        found = self.value(top.get(key), key)
        if found is not None and not isinstance(found, dict):
            self.bad(top[key], key, "must be a mapping")
        return found if isinstance(found, dict) else {}

    def condition(self, node: yaml.Node | None, key: str) -> str:
        text = self.text(node, key)
        try:
            for clause in expression.clauses(text) if text else ():
                if clause.left.root == "steps":
                    self.bad(node, key, "no step has run when this is decided")
        except expression.BadExpression as error:
            self.bad(node, key, str(error))
        return text

    def items(self, top: dict[str, yaml.Node], key: str) -> list[yaml.Node]:
        node = top.get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.Sequence):
            self.bad(node, key, "must be a list")
            return []
        return node.items

    def text(self, node: yaml.Node | None, key: str) -> str:
        if node is None:
            return ""
        if isinstance(node, yaml.Scalar):
            return node.text
        self.bad(node, key, "must be text")
        return ""

    def value(self, node: yaml.Node | None, key: str) -> Any:
        """Plain data; only true and false are booleans, only whole numbers are numbers."""
        match node:
            case None:
                return None
            case yaml.Mapping():
                return {k: self.value(e.node, f"{key}.{k}") for k, e in node.entries.items()}
            case yaml.Sequence():
                return [self.value(n, f"{key}[{i}]") for i, n in enumerate(node.items)]
        if yaml.is_null(node):
            return None
        if node.plain and node.text in ("true", "false"):
            return node.text == "true"
        if node.plain and _INT.fullmatch(node.text):
            return int(node.text)
        return node.text
