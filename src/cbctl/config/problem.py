"""One thing that is wrong in a configuration file, and the error that reports all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cbctl.errors import CbctlError, Exit

# More than this helps nobody: most of them follow from the first ones.
SHOWN = 20


class Problem(msgspec.Struct, frozen=True):
    """What is wrong and where. `line` and `column` count from 1; 0 means the whole file.

    key  path of the setting, e.g. `environments.local.chain.port`
    """

    file: str
    line: int
    column: int
    key: str
    message: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def what(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(CbctlError):
    """Everything that is wrong in one file (exit 64)."""

    def __init__(self, problems: Sequence[Problem], *, fix: str = "") -> None:
        first = problems[0]
        if len(problems) == 1:
            super().__init__(first.what, exit=Exit.USAGE, where=first.where, fix=fix)
        else:
            lines = [str(problem) for problem in problems[:SHOWN]]
            if len(problems) > SHOWN:
                lines.append(f"… and {len(problems) - SHOWN} more")
            count = f"{len(problems)} problems"
            super().__init__(
                "\n  ".join([count, *lines]), exit=Exit.USAGE, where=first.file, fix=fix
            )
        self.problems = tuple(problems)


def shown(text: str, limit: int = 40) -> str:
    """A piece of the user's file as it may stand in a message: short and printable."""
    clean = "".join(c if c.isprintable() else "?" for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[:limit] + "…"


def near(name: str, names: Iterable[str]) -> str:
    """`; did you mean …?` when one of `names` is close, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name[:64], list(names), n=1, cutoff=0.6)
    return f"; did you mean `{found[0]}`?" if found else ""
