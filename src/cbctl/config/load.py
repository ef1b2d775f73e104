"""`cbctl.yaml`: found, read, checked.

    settings = load(find_config(Path.cwd(), explicit))
    env = environment(settings, "local")

Every error is a CbctlError, with exit 64 unless the file is somebody else's (7); ConfigError
carries all problems of the file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping as Variables
from pathlib import Path
from typing import Any

import msgspec

from cbctl import __version__
from cbctl.config import rules
from cbctl.config.problem import ConfigError, Problem, near, shown
from cbctl.config.read import MISSING, Marks, Place, Reader
from cbctl.config.scalars import scalar_value
from cbctl.config.settings import Environment, Program, Settings
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

    An explicit folder means the `cbctl.yaml` in it. Raises CbctlError: 64 when there is none, 7
    when the one that was found, not named, is in somebody else's hands.
    """
    named, by = (explicit, "--config") if explicit else (variables.get(VARIABLE), f"${VARIABLE}")
    if named:
        path = (start / expanded(str(named))).absolute()
        fix = f"name a {FILE}, or the folder that it is in"
        try:
            path = path / FILE if path.is_dir() else path
            if not path.is_file():
                raise CbctlError(f"{by} names {path}, which is no file", exit=Exit.USAGE, fix=fix)
        except OSError as error:
            what = f"what {by} names cannot be looked at: {error.strerror}"
            raise CbctlError(what, exit=Exit.USAGE, where=str(path), fix=fix) from None
        return path
    found = nearest_config(start)
    if found is not None:
        return found
    raise CbctlError(
        f"no {FILE} in {start.absolute()} or above",
        exit=Exit.USAGE,
        fix=f"go into the project's folder, or name the file: --config FILE or ${VARIABLE}",
    )


def nearest_config(start: Path) -> Path | None:
    """The file of `start` or the nearest folder above it. Raises CbctlError (7) for one that is in
    somebody else's hands."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            _check_hands(folder / FILE)
            return folder / FILE
    return None


def _check_hands(path: Path) -> None:
    """Refuses a file that somebody else could have put there or can change.

    The file says what is run and where secrets go, so whoever writes it acts as this user. For
    the same reason the search does not go on above: what was meant is for the user to say.
    """
    # A link counts with both ends: who can replace it, and who can replace what it leads to.
    for place in dict.fromkeys((path, path.parent, path.resolve(), path.resolve().parent)):
        found = place.stat()
        if found.st_uid not in (0, os.geteuid()):
            what = f"{_called(place, path)} belongs to {_user(found.st_uid)}, not to you"
        elif _open_to_others(found):
            what = f"{_called(place, path)}, which belongs to {_user(found.st_uid)}, can be changed"
            what += f" by other users (mode {stat.S_IMODE(found.st_mode):04o})"
        else:
            continue
        raise CbctlError(
            f"{what}: it was found by searching and is not used",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"if you trust it, name it: --config {path} (in CI, where a checkout often belongs "
            f"to another user, {VARIABLE}={path}); or let it and its folder belong to you, and "
            "take the right to write from all others (chmod go-w)",
        )


def _called(place: Path, path: Path) -> str:
    return "the file" if place == path else f"{place}"


def _open_to_others(found: os.stat_result) -> bool:
    """Whether somebody other than the user (or root) can change the file, or files in the folder.

    In a sticky folder of the user's own nobody else can replace the user's files.
    """
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if sticky and found.st_uid == os.geteuid():
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private_group(found.st_gid)


def _is_private_group(gid: int) -> bool:
    """Whether it is the group that Debian and others give each user: with umask 002 all files of
    the user are writable by it, and nobody else is in it."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    mine = gid == user.pw_gid and group.gr_name == user.pw_name
    return mine and set(group.gr_mem) <= {user.pw_name}


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


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
        Settings,
        Mapping(entries, tree.line, tree.column),
        Place("", "", 1, 1),
        path=path,
        program=_default_program(base, reader),
    )
    if settings is MISSING:
        return settings
    named = {name: _complete(env, name, settings) for name, env in settings.environments.items()}
    return msgspec.structs.replace(settings, environments=named)


def _default_program(base: Node, reader: Reader) -> Any:
    """The program of `defaults`, None where only environments complete it: what is wrong in it
    is said of them."""
    entry = base.entries.get("program") if isinstance(base, Mapping) else None
    if entry is None or not isinstance(entry.node, Mapping):
        return None
    alone = Reader(reader.file, reader.folder, [])
    found = alone.struct(Program, entry.node, Place("defaults.program", "defaults.program", 1, 1))
    return None if found is MISSING else found


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
