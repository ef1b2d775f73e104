"""The command table as it is: every command with its arguments and options."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum
from typing import Any

import typer

from cbctl.app import COMMANDS


@dataclass(frozen=True)
class Option:
    """names: `--output`, `-o`; choices: its only values; flag: it takes no value"""

    names: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    flag: bool
    required: bool


@dataclass(frozen=True)
class Command:
    """words: how it is called, `audit verify`; arguments: their metavars, in order"""

    words: tuple[str, ...]
    arguments: tuple[str, ...]
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def has(self, name: str) -> bool:
        return any(name in option.names for option in self.options)


def table() -> list[Command]:
    found: list[Command] = []
    for name, (module, _) in COMMANDS.items():
        app = importlib.import_module(f"cbctl.cli.{module}").app
        _walk((name,), typer.main.get_command(app), found)
    return found


def _walk(words: tuple[str, ...], command: Any, found: list[Command]) -> None:
    inner = getattr(command, "commands", None)
    if inner is not None:
        for name, below in inner.items():
            _walk((*words, name), below, found)
        return
    arguments = [p.metavar or p.name for p in command.params if p.param_type_name == "argument"]
    options = [_option(p) for p in command.params if p.param_type_name == "option"]
    found.append(Command(words, tuple(arguments), tuple(options)))


def _option(param: Any) -> Option:
    kind = param.type_descriptor.annotation
    choices = [c.value for c in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
    names = (*param.opts, *param.secondary_opts)
    return Option(names, param.metavar or "", tuple(choices), param.is_flag, param.required)
