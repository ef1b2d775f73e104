"""A run explained as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cbctl.render.clean import clean, cut, evidence_lines
from cbctl.render.words import change, count, duration, short
from cbctl.report.why import Why
from cbctl.report.why_timeline import Moment, stopwatch, told

_LABEL = 10
_EVIDENCE = 20
_LONGEST_ID = 24


def title(why: Why) -> str:
    """The whole story in one line."""
    name = f"{why.kind} of {why.environment}" if why.kind else f"the lock of {why.environment}"
    unsure = {s.id for s in why.steps if s.unsure}
    begun = sum(c["step"] in unsure for c in why.kept)
    kept, back = len(why.kept) - begun, len(why.undone)
    made = f"{count(kept, 'change')} made" if kept or not begun else ""
    made = ", ".join(filter(None, (made, f"{begun} begun" if begun else "")))
    made = made if why.kept else "nothing was changed"
    spent = duration(why.worked)
    match why.result:
        case "succeeded":
            return f"{name} succeeded in {spent}: {made}"
        case "waiting":
            return f"{name} waits, after {spent}; {made}"
        case "undone":
            return f"{name} failed after {spent}; {count(back, 'change')} undone"
        case "failed":
            return f"{name} failed after {spent}; {made}"
        case "not undone":
            also = f", {back} undone" if back else ""
            return f"{name} failed after {spent}; {made} and not undone{also}"
        case "cancelled":
            return f"{name} was stopped after {spent}; {made}"
        case "interrupted":
            return f"{name} was interrupted after {spent}; {made}"
        case "running":
            return f"{name} is going on, for {spent} so far; {made}"
        case "lock broken":
            return f"{name} was taken from its holder"
    return f"{name}: {why.result}"


def lines(why: Why, width: int = 80) -> list[str]:
    """Every text in it is harmless; no line is wider than `width`."""
    return _Text(why, width).all()


class _Text:
    def __init__(self, why: Why, width: int) -> None:
        self.why, self.width = why, width
        self.lines: list[str] = []

    def all(self) -> list[str]:
        self._wrap("", title(self.why))
        self.lines.append("")
        self._facts()
        self._cause()
        self._timeline()
        self._changes()
        if self.why.next:
            self.lines.append("")
        for label, text in zip(
            ("next", *["then"] * len(self.why.next)), self.why.next, strict=False
        ):
            self.row(label, text)
        return self.lines

    def _facts(self) -> None:
        why = self.why
        exit = f" (exit {why.exit})" if why.exit is not None else ""
        self.row("run", f"{why.run}  {why.result}{exit}")
        for person in why.people:
            at = person.at[:19].replace("T", " ")
            gap = f", {duration(person.gap)} later" if person.gap else ""
            self.row(person.how, f"{at} UTC by {person.who} on {person.host}{gap}")
        if why.planned.get("plan"):
            identity = why.planned.get("identity") or {}
            known = [f"{k} {_short(v)}" for k, v in identity.items() if v is not None]
            self.row("planned", ", ".join([f"plan {_short(why.planned['plan'])}", *known]))
        for past in why.passed:
            because = past["reason"] or f"a {past['by']} is never held back"
            self.row("past", f"{past['rule']}: {past['why']} ({because})")
        if why.replaces:
            self.row("", f"moves away from release {why.replaces}")
        if why.release:
            self.row("release", why.release)

    def _cause(self) -> None:
        why, cause = self.why, self.why.cause
        if cause:
            self.lines.append("")
            where = f"{cause.step} ({cause.phase}): " if cause.step and cause.phase else ""
            self.row("why", where + cause.error)
            for line in evidence_lines(cause.evidence, _EVIDENCE):
                self._quoted(cut(line, 3 * (self.width - _LABEL - 2)))
        for other in why.also:
            self.row("also" if cause else "earlier", f"{other['step']}: {other['error']}")

    def _timeline(self) -> None:
        self.lines += ["", "timeline"]
        for moment in told(self.why.timeline):
            if moment.gap is not None:
                gap = f" nobody ran it for {duration(moment.gap)} "
                self.lines.append(gap.center(self.width - 4, "-").join(("  ", "")))
            self._moment(moment)

    def _moment(self, moment: Moment) -> None:
        took = f" after {duration(moment.seconds)}" if moment.seconds is not None else ""
        what = f"{moment.what}{took}" if moment.type != "step.failed" else moment.what
        step = f"{moment.step}  " if moment.step else ""
        head = f"{stopwatch(moment.after):>11}  "
        self._wrap(head, step + what, len(head))
        for made in moment.changes:
            indent = len(head) + 2
            self.lines.append(" " * indent + change(made, self.width - indent))

    def _changes(self) -> None:
        cannot = {s.id: s.cannot for s in self.why.steps}
        unsure = {s.id for s in self.why.steps if s.unsure}
        if self.why.kept or self.why.undone:
            self.lines.append("")
        self._made("changed", [c for c in self.why.kept if c["step"] not in unsure])
        self._made("begun", [c for c in self.why.kept if c["step"] in unsure])
        for step in self.why.steps:
            # where to look: a buffer that was begun holds money
            if step.about and step.state in ("begun", "failed"):
                known = ", ".join(f"{name} {value}" for name, value in step.about.items())
                self.row("about", f"{step.id}: {known}")
        self._made("undone", self.why.undone)
        for id, because in cannot.items():
            if because:
                self.row("stays", f"{id}: {because}")

    def _made(self, label: str, changes: Sequence[Mapping[str, Any]]) -> None:
        for made in changes:
            step = short(clean(made["step"]), _LONGEST_ID)
            text = change(made, max(20, self.width - _LABEL - len(step) - 2))
            self.lines.append(f"{label:<{_LABEL}}{step}  {text}")
            label = ""

    # -- lines ------------------------------------------------------------------------------

    def row(self, label: str, text: str) -> None:
        self._wrap(f"{label:<{_LABEL - 1}} ", text, _LABEL)

    def _quoted(self, text: str) -> None:
        head = " " * _LABEL + "| "
        for line in textwrap.wrap(text, self.width - len(head)) or [""]:
            self.lines.append((head + line).rstrip())

    def _wrap(self, head: str, text: str, indent: int = 0) -> None:
        self.lines += textwrap.wrap(
            clean(text),
            self.width,
            initial_indent=head,
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        ) or [head.rstrip()]


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) > 24 else text
