"""The plan as text, for a person who has to decide at three in the morning."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from cbctl.render.clean import clean
from cbctl.render.words import changed, count

Planned = Mapping[str, object]
"""One step of a plan: `describe(verdict)` and its `id` (or `step`) and `summary`."""

_COLOURS = {"+": "32", "~": "33", "-": "31", "!": "31", "?": "36"}


def text(steps: Sequence[Planned], *, hash: str = "", width: int = 80, colour: bool = False) -> str:
    """What is blocked comes first, with its fix; what is right already is one line, which says why
    where it is all there is."""
    kinds: dict[str, list[Planned]] = {}
    for step in steps:
        kinds.setdefault(str(step.get("verdict", "")), []).append(step)
    parts = [
        _section("Blocked: nothing is done before this is solved", kinds.get("blocked"), width),
        _section("To change", kinds.get("changes"), width),
        _section("Decided later, at most this", kinds.get("after"), width),
        _right(kinds.get("nothing", []), width, len(steps) == 1),
        [_last(kinds, hash)],
    ]
    lines = [line for part in parts if part for line in [*part, ""]][:-1]
    return "".join((_coloured(line) if colour else line) + "\n" for line in lines)


def _section(title: str, steps: list[Planned] | None, width: int) -> list[str]:
    if not steps:
        return []
    lines = [title]
    for step in steps:
        match step.get("verdict"):
            case "blocked":
                lines += _wrapped(f"  ! {_id(step)}: ", clean(step.get("because") or ""), width)
                if step.get("fix"):
                    lines += _wrapped("      fix: ", clean(step["fix"]), width)
            case "after":
                lines += _wrapped(f"  ? {_id(step)}: ", clean(step.get("because") or ""), width)
                may = changed(step.get("changes"), width - 6)
                lines += ["      " + line for line in may or ["~ what, only then can be said"]]
            case _:
                lines += _wrapped(f"  {_id(step)}: ", clean(step.get("summary") or ""), width)
                lines += ["      " + line for line in changed(step.get("changes"), width - 6)]
                if lamports := step.get("lamports"):
                    lines += _wrapped("      lamports: ", _money(lamports), width)
                if step.get("notes"):
                    lines += _wrapped("      note: ", clean(step["notes"]), width)
    return lines


def _money(lamports: object) -> str:
    named = lamports.items() if isinstance(lamports, Mapping) else ()
    return ", ".join(f"{number:,} {name}" for name, number in named)


def _right(steps: list[Planned], width: int, alone: bool) -> list[str]:
    if not steps:
        return []
    names = ", ".join(_id(step) for step in steps)
    if alone and steps[0].get("because"):
        names += f": {clean(steps[0]['because'])}"
    return _wrapped(f"Already right ({len(steps)}): ", names, width)


def _last(kinds: Mapping[str, list[Planned]], hash: str) -> str:
    changes = sum(len(changed(s.get("changes"))) for s in kinds.get("changes", []))
    to_change, later = len(kinds.get("changes", [])), len(kinds.get("after", []))
    if kinds.get("blocked"):
        found = f"{count(len(kinds['blocked']), 'step')} blocked"
    elif not to_change and not later:
        found = "Nothing to do"
    else:
        found = f"{count(changes, 'change')} in {count(to_change, 'step')}"
        if later:
            found += f", {count(later, 'step')} decided later"
    return f"{found}. Plan {hash[:12]}" if hash else f"{found}."


def _id(step: Planned) -> str:
    return clean(step.get("id") or step.get("step") or "?")


def _wrapped(head: str, content: str, width: int) -> list[str]:
    indent = " " * min(len(head), 8)
    # long words are commands and paths: broken, they could not be copied
    return textwrap.wrap(
        head + content,
        max(width, 40),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _coloured(line: str) -> str:
    body = line.lstrip()
    code = _COLOURS.get(body[:1]) if body[1:2] == " " and body != line else None
    if code is None:
        return line
    indent = line[: len(line) - len(body)]
    return f"{indent}\x1b[{code}m{body[0]}\x1b[0m{body[1:]}"
