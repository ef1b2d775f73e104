"""Questions to a person, and clear errors where there is nobody to ask."""

from __future__ import annotations

import sys

import typer

from cbctl.errors import CbctlError, Exit


def confirm(question: str, yes: bool) -> None:
    """Raises CbctlError (8) unless the answer is yes, (64) when there is no terminal to ask."""
    if yes:
        return
    _terminal(question, "--yes")
    if not typer.confirm(question, err=True):
        raise CbctlError("stopped: the answer was no", exit=Exit.CANCELLED)


def confirm_name(
    what: str, name: str, given: str | None, *, called: str = "name", flag: str = "--confirm"
) -> None:
    """The same for what is protected: its name has to be typed, or given by `flag`."""
    if given is None:
        _terminal(f"{what} asks for its {called}", f"{flag} {name}")
        given = typer.prompt(f"{what} is protected. Its {called}", err=True)
    if given != name:
        raise CbctlError(f"{given!r} is not {name!r}; nothing was changed", exit=Exit.CANCELLED)


def _terminal(question: str, flag: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CbctlError(
            f"cannot ask without a terminal: {question}",
            exit=Exit.USAGE,
            fix=f"say it on the command line: {flag}",
        )
