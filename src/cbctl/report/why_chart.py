"""The steps of a run as bars over time, drawn with CSS alone.

Time is to scale while somebody ran it; what lies between an interruption and the resume (hours,
maybe) is drawn as a narrow stripe of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cbctl.report.why import Why
from cbctl.report.why_steps import Session, Span, Step

_GAP = 7.0
_LEAST_SESSION = 6.0
_STATES = {
    "changed": "changed",
    "begun": "begun, no end",
    "waits": "waits",
    "failed": "failed",
    "undone": "undone",
    "stays": "not undone",
    "right": "already right",
    "left out": "left out",
    "not reached": "not reached",
}
_LEGEND = (
    ("apply", "changes"),
    ("verify", "verifies"),
    ("undo", "undoes"),
    ("failed", "failed"),
    ("cut", "cut off"),
)

Text = Callable[[object], str]
Duration = Callable[[float], str]


def chart(why: Why, text: Text, duration: Duration) -> str:
    if not why.steps:
        return ""
    scale = Scale(why.people)
    stripes = "".join(
        f'<i class="stripe" style="left:{begin:.2f}%;width:{end - begin:.2f}%"></i>'
        for begin, end, _ in scale.gaps
    )
    rows = "".join(_row(step, scale, stripes, text, duration) for step in why.steps)
    kinds = {_kind(span) for step in why.steps for span in step.spans}
    legend = "".join(f'<li><i class="bar {k}"></i>{w}</li>' for k, w in _LEGEND if k in kinds)
    if scale.gaps:
        legend += '<li><i class="stripe"></i>nobody ran it</li>'
    legend = f'<ul class="legend" aria-hidden="true">{legend}</ul>' if legend else ""
    return f'{legend}<ul class="chart">{rows}</ul>{_axis(scale, text, duration)}'


class Scale:
    """Seconds since the run began → per cent of the width."""

    def __init__(self, parts: Sequence[Session]) -> None:
        gap = min(_GAP, 30.0 / max(1, len(parts) - 1))
        room = 100.0 - gap * (len(parts) - 1)
        least = min(_LEAST_SESSION, room / max(1, len(parts)))
        lengths = [max(0.0, p.end - p.begin) for p in parts]
        whole = sum(lengths) or 1.0
        free = room - least * len(parts)
        self.parts: list[tuple[Session, float, float]] = []
        self.gaps: list[tuple[float, float, float]] = []
        at = 0.0
        for part, length in zip(parts, lengths, strict=True):
            if self.parts:
                self.gaps.append((at, at + gap, part.gap or 0.0))
                at += gap
            share = least + free * (length / whole if sum(lengths) else 1 / len(parts))
            self.parts.append((part, at, at + share))
            at += share

    def at(self, seconds: float) -> float:
        place = 0.0
        for part, begin, end in self.parts:
            if seconds < part.begin:
                return place
            length = part.end - part.begin
            inside = min(1.0, (seconds - part.begin) / length) if length > 0 else 0.0
            place = begin + (end - begin) * inside
        return place


def _row(step: Step, scale: Scale, stripes: str, text: Text, duration: Duration) -> str:
    bars = "".join(_bar(span, scale, duration) for span in step.spans)
    state = _STATES.get(step.state, step.state)
    if step.failed and step.state != "failed":
        state = f"failed, {state}"
    took = f"{state}, {duration(step.seconds)}" if step.spans else state
    quiet = "" if step.spans else ' class="quiet"'
    why = f' title="{text(step.because)}"' if step.because else ""
    name = f"<b>{text(step.id)}</b><span{why}>{text(took)}</span>"
    return f'<li{quiet}><div class="name">{name}</div><div class="track">{stripes}{bars}</div></li>'


def _bar(span: Span, scale: Scale, duration: Duration) -> str:
    begin, end = scale.at(span.begin), scale.at(span.end)
    words = f"{span.phase} {span.state}, {duration(span.end - span.begin)}"
    kind = _kind(span)
    # what took no time is still to be seen, and at the right edge too
    place = f"left:min({begin:.2f}%,calc(100% - 4px));width:{max(0.0, end - begin):.2f}%"
    return f'<i class="bar {kind}" style="{place}" title="{words}"></i>'


def _kind(span: Span) -> str:
    if span.state == "failed":
        return "failed"
    return "cut" if span.state in ("cut off", "going on") else _phase(span.phase)


def _phase(phase: str) -> str:
    return phase if phase in ("apply", "undo") else "verify"


def _axis(scale: Scale, text: Text, duration: Duration) -> str:
    """When each part began and the last one ended, below the bars."""
    marks = []
    for part, begin, end in scale.parts:
        marks.append(
            f'<span style="left:{begin:.2f}%;width:{end - begin:.2f}%">'
            f"{text(f'{part.how} by {part.who}')}<br>"
            f"{text(duration(part.end - part.begin))}, {text(part.result)}</span>"
        )
    for begin, end, gap in scale.gaps:
        marks.append(
            f'<span class="between" style="left:{begin:.2f}%;width:{end - begin:.2f}%">'
            f"{text(duration(gap))}</span>"
        )
    return f'<div class="axis"><div class="track">{"".join(marks)}</div></div>'
