"""One run explained on one page that can be sent around: nothing is loaded, nothing is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cbctl.report.why import Why
from cbctl.report.why_chart import chart
from cbctl.report.why_style import STYLE
from cbctl.report.why_timeline import Moment, stopwatch, told

MARK = "<!-- written by cbctl why -->"
"""On the second line of every page of ours: such a file may be written over."""

_TONES = {"succeeded": "good", "undone": "bad", "failed": "bad", "not undone": "bad"}


@dataclass(frozen=True)
class Words:
    """How texts are written on the other faces too; `clean` makes each harmless first."""

    clean: Callable[[object], str]
    duration: Callable[[float], str]
    change: Callable[[Mapping[str, object]], str]
    evidence: Callable[[object], list[str]]


def is_ours(start: bytes) -> bool:
    return MARK.encode() in start.splitlines()[:2]


def page(why: Why, title: str, words: Words) -> str:
    """title: the first line of the text that says the same"""
    return _Page(why, title, words).whole()


class _Page:
    def __init__(self, why: Why, title: str, words: Words) -> None:
        self.why, self.title, self.words = why, title, words

    def whole(self) -> str:
        title = self.text(self.title)
        body = "\n".join(
            part
            for part in (
                self.top(title),
                self.cause(),
                self.steps(),
                self.changes("What is changed now", self.why.kept),
                self.changes("What was taken back", self.why.undone),
                self.records(),
                self.origin(),
            )
            if part
        )
        return f"""<!DOCTYPE html>
{MARK}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

    def text(self, value: object) -> str:
        return escape(self.words.clean(value), quote=True)

    # -- parts of the page ------------------------------------------------------------------

    def top(self, title: str) -> str:
        why = self.why
        tone = _TONES.get(why.result, "warn")
        exit = f", exit {why.exit}" if why.exit is not None else ""
        facts = [("environment", self.text(why.environment)), ("run", self.code(why.run))]
        for person in why.people:
            at, by = self.text(_second(person.at)), self.text(f"{person.who} on {person.host}")
            facts.append((self.text(person.how), f"{at} UTC<br>by {by}"))
        facts.append(("took", self._took()))
        if why.release:
            facts.append(("release", self.text(why.release)))
        cells = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts)
        result = f'<p class="badge {tone}">{self.text(why.result + exit)}</p>'
        return f"<header>{result}<h1>{title}</h1><dl>{cells}</dl></header>"

    def _took(self) -> str:
        why, say = self.why, self.words.duration
        if why.seconds - why.worked < 0.05:
            return self.text(say(why.seconds))
        return self.text(f"{say(why.worked)} of work within {say(why.seconds)}")

    def cause(self) -> str:
        cause, parts = self.why.cause, []
        if cause:
            where = f"{cause.step} ({cause.phase})" if cause.step and cause.phase else cause.step
            head = f"<b>{self.text(where)}</b> " if where else ""
            parts.append(f'<p class="error">{head}{self.text(cause.error)}</p>')
            if lines := self.words.evidence(cause.evidence):
                told = "\n".join(self.text(line) for line in lines)
                parts.append(f'<pre tabindex="0" aria-label="evidence">{told}</pre>')
        for other in self.why.also:
            kind = "also" if cause else "before that"
            said = f"{kind}: {other['step']}: {other['error']}"
            parts.append(f'<p class="minor">{self.text(said)}</p>')
        for label, text in zip(
            ("Next", *["Then"] * len(self.why.next)), self.why.next, strict=False
        ):
            shown = self._command(text) if text.startswith("cbctl ") else self.text(text)
            parts.append(f'<p class="next"><span>{label}</span>{shown}</p>')
        return self.section("Why" if cause else "Beside it", parts)

    def steps(self) -> str:
        drawn = chart(self.why, self.text, self.words.duration)
        return self.section("Steps over time", [drawn]) if drawn else ""

    def changes(self, title: str, changes: Sequence[Mapping[str, Any]]) -> str:
        cannot = {s.id: s.cannot for s in self.why.steps if s.cannot}
        unsure = {s.id for s in self.why.steps if s.unsure}
        by_step: dict[str, list[str]] = {}
        for change in changes:
            text = self.text(self.words.change(change))
            by_step.setdefault(str(change["step"]), []).append(f"<code>{text}</code>")
        rows = []
        for step, made in by_step.items():
            note = f"stays: {cannot[step]}" if step in cannot else ""
            note = note or ("begun; whether it was made, a resume finds out" * (step in unsure))
            more = f'<span class="minor">{self.text(note)}</span>' if note else ""
            shown = "<br>".join(made)
            rows.append(f"<li><b>{self.text(step)}</b><div>{shown}{more}</div></li>")
        return self.section(title, [f'<ul class="changes">{"".join(rows)}</ul>'] if rows else [])

    def records(self) -> str:
        shown = told(self.why.timeline)
        rows = "".join(self._gap(m) + self._record(m) for m in shown)
        return self.section("What happened", [f'<ol class="records">{rows}</ol>'])

    def _record(self, moment: Moment) -> str:
        took = f", after {self.words.duration(moment.seconds)}" if moment.seconds else ""
        step = f"<b>{self.text(moment.step)}</b> " if moment.step else ""
        changes = "".join(
            f"<br><code>{self.text(self.words.change(c))}</code>" for c in moment.changes
        )
        tone = "bad" if moment.type in ("step.failed", "lock.broken") else ""
        time = f'<time title="{self.text(moment.at)}">{self.text(stopwatch(moment.after))}</time>'
        text = f"{step}{self.text(moment.what + took)}{changes}"
        return f'<li class="{tone}">{time}<span>{text}</span></li>'

    def _gap(self, moment: Moment) -> str:
        if moment.gap is None:
            return ""
        text = f"nobody ran it for {self.words.duration(moment.gap)}"
        return f'<li class="gap"><span>{self.text(text)}</span></li>'

    def origin(self) -> str:
        planned = self.why.planned
        rows = [("plan", planned.get("plan")), *(dict(planned.get("identity") or {})).items()]
        if self.why.replaces:
            rows.append(("moves away from", self.why.replaces))
        chosen = dict(planned.get("selection") or {})
        rows += [(name, ", ".join(chosen[name])) for name in ("only", "skip") if chosen.get(name)]
        rows += [
            (f"past {p['rule']}", f"{p['why']} ({p['reason'] or p['by']})") for p in self.why.passed
        ]
        rows = [row for row in rows if row[1] is not None]
        if self.why.kind:
            rows = [("asked for", self.why.reason or self.why.kind), *rows]
        rows.append(("end of journal", f"{self.why.head['count']}:{self.why.head['hash']}"))
        cells = "".join(
            f"<div><dt>{self.text(k)}</dt><dd>{self.code(v)}</dd></div>" for k, v in rows
        )
        note = '<p class="minor">Times count from the start of the run. Made from its journal.</p>'
        return self.section("What it was planned from", [f'<dl class="wide">{cells}</dl>', note])

    def _command(self, text: str) -> str:
        """Broken between its words only."""
        words = " ".join(f"<i>{self.text(word)}</i>" for word in text.split())
        return f"<code>{words}</code>"

    # -- pieces -----------------------------------------------------------------------------

    def code(self, value: object) -> str:
        return f"<code>{self.text(value)}</code>"

    def section(self, title: str, parts: Sequence[str]) -> str:
        return f"<section><h2>{title}</h2>{''.join(parts)}</section>" if parts else ""


def _second(at: str) -> str:
    return at[:19].replace("T", " ")
