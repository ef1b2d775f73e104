"""What every command owes its user, whatever it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.testbed.forked import Ended

from cbctl.errors import Exit

LARGEST = 16 * 1024
"""Characters that a command may say when something is wrong."""

# A defect, by the words in which it shows itself.
_DEFECT = re.compile(
    r"Traceback \(most recent|defect of cbctl|Exception ignored|Fatal Python error"
    r"|unexpected [A-Za-z]*(?:Error|Exception|Exit|Interrupt)\b"
)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_REFUSED = frozenset({Exit.FAILED, Exit.CREDENTIALS, Exit.LOCKED, Exit.REFUSED, Exit.USAGE})
"""Codes with which a command says that it changed nothing."""
_SHOWS = ("error: ", "Error: ", "Usage: ")


@dataclass(frozen=True)
class Case:
    """One command line. endless: it goes on until Ctrl-C by design"""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False

    def __str__(self) -> str:
        env = "".join(f"{k}={v!r} " for k, v in self.env.items())
        return f"{self.name}: {env}cbctl {' '.join(ascii(word) for word in self.argv)}"


def faults(ended: Ended, changed: list[str], *, looks: bool, stops: bool = False) -> list[str]:
    """What is wrong with the way in which a command ended.

    changed  files of the state
    looks    the command changes nothing when it ends well either
    stops    it stops services, and may fail half-way
    """
    found = []
    text = f"{ended.out}\n{ended.err}"
    if ended.hung:
        return ["it hangs"]
    if ended.exit not in {int(code) for code in Exit}:
        found.append(f"exit code {ended.exit} is not in the table")
    if defect := _DEFECT.search(text):
        found.append(f"a defect: {defect[0]}")
    legible = _utf8(text)
    if control := _CONTROL.search(legible):
        found.append(f"a control character: {control[0]!r}")
    if ended.exit in _REFUSED:
        found += _says_why(ended)
    refused = _REFUSED - {Exit.FAILED} if stops else _REFUSED
    if changed and (looks or ended.exit in refused):
        found.append(f"it changed {', '.join(changed[:5])}")
    return found


def _says_why(ended: Ended) -> list[str]:
    """An error names what is wrong, and where it stands or what helps."""
    # a plan that is blocked, or a list of problems as JSON, is a result
    told = ended.err if ended.err.strip() else ended.out
    found = []
    if len(ended.err) > LARGEST:
        found.append(f"an error of {len(ended.err)} characters")
    if not told.strip():
        found.append("it refused without a word")
    elif ended.exit == Exit.USAGE and ended.err.strip():
        if not any(word in ended.err for word in _SHOWS):
            found.append("it does not say what is wrong")
        if not re.search(r"^(where|fix): |^Usage: |^Try |`|'", ended.err, re.MULTILINE):
            found.append("it says neither where nor what helps")
    return found


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")
