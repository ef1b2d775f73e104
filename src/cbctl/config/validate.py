"""`cbctl config validate`: all that can be wrong with a configuration without reaching a system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cbctl.config import idl, rules
from cbctl.config.load import Document, environment, load_document
from cbctl.config.problem import ConfigError, Problem, shown
from cbctl.config.settings import Environment


def validate(path: Path, env: str | None = None) -> list[Problem]:
    """Everything wrong with the file; with `env`, also with what that environment points to
    (paths, the program's IDL). Empty when all is well.

    Raises CbctlError (64) for an environment that is not there or a file that cannot be read.
    """
    try:
        document = load_document(path)
    except ConfigError as error:
        return list(error.problems)
    if env is None:
        return []
    return check(document, environment(document.settings, env))


def check(document: Document, env: Environment) -> list[Problem]:
    """What one environment points to: do its files exist, are the program's arguments complete."""
    found = [*_paths(env), *_arguments(env)]
    problems = [
        rules.locate(env, setting, message, document.file, document.marks)
        for setting, message in found
    ]
    folder = document.settings.runbooks
    if folder is not None and (missing := _missing(folder, "folder")):
        line, column, key = document.marks.get("runbooks", (0, 0, "runbooks"))
        problems.append(Problem(document.file, line, column, key, missing))
    return problems


def require(document: Document, env: Environment) -> None:
    """Like `check`, for a command that needs all of it; raises ConfigError."""
    problems = check(document, env)
    if problems:
        raise ConfigError(problems)


def _paths(env: Environment) -> Iterator[tuple[str, str]]:
    files = {
        "program.elf": env.program.elf,
        "program.idl": env.program.idl,
        "migrations.schema": env.migrations.schema,
    }
    folders = {"migrations.folder": env.migrations.folder, "api.source": env.api.source}
    if env.program.toolchain is not None and not env.program.elf.exists():
        del files["program.elf"]  # `cbctl program build` makes it, and a deploy demands it
    if env.api.kubernetes is not None:
        folders["api.kubernetes.manifests"] = env.api.kubernetes.manifests
    for kind, named in (("file", files), ("folder", folders)):
        for setting, path in named.items():
            if missing := _missing(path, kind):
                yield setting, missing


def _arguments(env: Environment) -> Iterator[tuple[str, str]]:
    path, initialize = env.program.idl, env.program.initialize
    if _missing(path, "file"):
        return  # said by _paths
    try:
        document = idl.read(path)
    except idl.NotAnIdl as error:
        yield "program.idl", f"this is no IDL: {error}"
    except OSError as error:
        yield "program.idl", f"cannot be read: {error.strerror}"
    else:
        for setting, message in idl.check(initialize, document) if initialize else ():
            yield f"program.initialize.{setting}", message


def _missing(path: Path, kind: str) -> str:
    """Why the path is no file or folder; nothing when it is one."""
    try:
        if path.is_file() if kind == "file" else path.is_dir():
            return ""
        return f"{path} is no {kind}" if path.exists() else f"there is no {kind} {path}"
    except OSError as error:  # the name is too long
        return f"cannot be looked at ({error.strerror}): {shown(str(path))}"
