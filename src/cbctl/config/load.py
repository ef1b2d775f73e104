"""`cbctl.yaml`: found, read, checked.

    settings = load(find_config(Path.cwd(), explicit))
    env = environment(settings, "local")

Every error is a CbctlError with exit 64; ConfigError carries all problems of the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping as Variables
from pathlib import Path
from typing import Any

import msgspec

from cbctl import __version__
from cbctl.config import rules
from cbctl.config.problem import ConfigError, Problem, near, shown
from cbctl.config.read import MISSING, Marks, Place, Reader
from cbctl.config.scalars import scalar_value
from cbctl.config.settings import Environment, Settings
from cbctl.config.urls import expanded
from cbctl.config.yaml_marks import (
    MAX_BYTES,
    Entry,
    Mapping,
    Node,
    Scalar,
    compose,
    is_null,
    merge,
)
from cbctl.errors import CbctlError, Exit

FILE = "cbctl.yaml"
VARIABLE = "CBCTL_CONFIG"


class Document(msgspec.Struct, frozen=True):
    """The settings and where each of them stands: key path → line, column, path to show."""

    settings: Settings
    file: str
    marks: Marks


def find_config(
    start: Path, explicit: str | Path | None = None, variables: Variables[str, str] = os.environ
) -> Path:
    """The configuration file: `explicit` (--config), else $CBCTL_CONFIG, else upwards of `start`.

    An explicit folder means the `cbctl.yaml` in it. Raises CbctlError (64) when there is none.
    """
    named, by = (explicit, "--config") if explicit else (variables.get(VARIABLE), f"${VARIABLE}")
    if named:
        path = (start / expanded(str(named))).absolute()
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise CbctlError(f"{by} names {path}, which is no file", exit=Exit.USAGE)
        return path
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    raise CbctlError(
        f"no {FILE} in {start} or above",
        exit=Exit.USAGE,
        fix=f"go into the project's folder, or name the file: --config FILE or ${VARIABLE}",
    )


def load(path: Path) -> Settings:
    """The settings of a file; raises ConfigError with all that is wrong in it."""
    return load_document(path).settings


def load_document(path: Path) -> Document:
    """Like `load`, with the marks."""
    path = path.absolute()
    file = _shown_path(path)
    tree, problems = compose(_text(path, file), file)
    if tree is None or problems:
        raise ConfigError(problems)
    if not isinstance(tree, Mapping):
        raise ConfigError([Problem(file, tree.line, tree.column, "", "expected a mapping")])
    _check_versions(tree, file)
    reader = Reader(file, path.parent, problems)
    settings = _settings(tree, path, reader)
    if not problems:
        for env in settings.environments.values():
            problems.extend(rules.check(env, file, reader.marks))
    if problems:
        raise ConfigError(_once(problems))
    return Document(settings, file, reader.marks)


def environment(settings: Settings, name: str) -> Environment:
    """The environment of that name; CbctlError (64) lists those that there are."""
    env = settings.environments.get(name)
    if env is None:
        names = ", ".join(settings.environments)
        raise CbctlError(
            f"there is no environment `{shown(name)}`{near(name, settings.environments)}",
            exit=Exit.USAGE,
            where=_shown_path(settings.path),
            fix=f"name one of: {names}",
        )
    return env


def _settings(tree: Mapping, path: Path, reader: Reader) -> Any:
    """Settings, or MISSING with the problems in the reader."""
    entries = dict(tree.entries)
    defaults = entries.pop("defaults", None)
    base: Node = Mapping({}, 1, 1)
    if defaults is not None and not is_null(defaults.node):
        base = defaults.node
        if not isinstance(base, Mapping):
            place = Place("defaults", "defaults", base.line, base.column)
            return reader.problem(place, "expected a mapping", base)
    environments = entries.get("environments")
    if environments is not None and isinstance(environments.node, Mapping):
        merged = {
            name: Entry(merge(base, _or_empty(entry)), entry.line, entry.column)
            for name, entry in environments.node.entries.items()
        }
        node = Mapping(merged, environments.node.line, environments.node.column)
        entries["environments"] = Entry(node, environments.line, environments.column)
    settings = reader.struct(
        Settings, Mapping(entries, tree.line, tree.column), Place("", "", 1, 1), path=path
    )
    if settings is MISSING:
        return settings
    named = {name: _complete(env, name, settings) for name, env in settings.environments.items()}
    return msgspec.structs.replace(settings, environments=named)


def _complete(env: Environment, name: str, settings: Settings) -> Environment:
    chain = env.chain
    if chain.on == "local" and not chain.rpc:
        chain = msgspec.structs.replace(chain, rpc=(f"http://127.0.0.1:{chain.port}",))
    return msgspec.structs.replace(
        env, name=name, platform=settings.platform, folder=settings.folder, chain=chain
    )


def _or_empty(entry: Entry) -> Node:
    """An environment without settings of its own is all defaults."""
    return Mapping({}, entry.line, entry.column) if is_null(entry.node) else entry.node


def _check_versions(tree: Mapping, file: str) -> None:
    """First of all: in a file for another cbctl nothing else can be judged."""
    version = tree.entries.get("version")
    if version is not None and isinstance(version.node, Scalar):
        number = scalar_value(version.node)
        if type(number) is int and number > 1:
            raise ConfigError(
                [
                    Problem(
                        file,
                        version.node.line,
                        version.node.column,
                        "version",
                        f"this file has format {number}; this cbctl ({__version__}) knows 1",
                    )
                ],
                fix="install a newer cbctl",
            )
    least = tree.entries.get("min_cbctl")
    if least is None or not isinstance(least.node, Scalar):
        return
    needed = _release(least.node.text)
    if needed and needed > _release(__version__):
        raise ConfigError(
            [
                Problem(
                    file,
                    least.node.line,
                    least.node.column,
                    "min_cbctl",
                    f"this file needs cbctl {shown(least.node.text)} or newer;"
                    f" this is {__version__}",
                )
            ],
            fix="install a newer cbctl",
        )


def _release(version: str) -> tuple[int, ...]:
    """`1.2.3` → (1, 2, 3); what follows the numbers does not count; empty when it is no version."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > 9:
            break
        numbers.append(int(digits))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers) or ((0,) if version[:1] == "0" else ())


def _text(path: Path, file: str) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CbctlError(f"cannot be read: {reason}", exit=Exit.USAGE, where=file) from None
    if len(raw) > MAX_BYTES:
        raise CbctlError(f"larger than {MAX_BYTES // 1024} KiB", exit=Exit.USAGE, where=file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise ConfigError([Problem(file, line, column, "", "this is not UTF-8")]) from None


def _shown_path(path: Path) -> str:
    """Relative to the working folder where that is shorter: what an editor can open."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _once(problems: list[Problem]) -> list[Problem]:
    """A mistake under `defaults` shows in every environment; it is one mistake. In file order."""
    unique = {(p.line, p.column, p.message): p for p in reversed(problems)}
    return sorted(unique.values(), key=lambda p: (p.line, p.column))
