"""What GitHub Actions understands besides plain lines: groups, annotations, the job summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.render.clean import clean
from cbctl.render.output import Output
from cbctl.render.words import duration

if TYPE_CHECKING:
    from cbctl.engine.event import Event
    from cbctl.render.ending import Row
    from cbctl.render.story import Story

_TITLE = {"good": "done", "bad": "failed", "stopped": "stopped"}


class Github:
    """Groups do not nest and steps run side by side: one group for the plan, one for the run."""

    def __init__(self, out: Output, environ: Mapping[str, str]) -> None:
        self._out = out
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._open = False

    def before(self, event: Event, story: Story) -> None:
        match event.type:
            case "plan.started":
                self._group("plan")
            case "run.started":
                self._group(f"{clean(story.kind)} {clean(event.run)}")
            case "run.ended":
                self.close()

    def after(self, event: Event, story: Story) -> None:
        if event.type == "plan.ready":
            self.close()

    def close(self) -> None:
        if self._open:
            self._out.line("::endgroup::")
            self._open = False

    def ended(self, story: Story, rows: list[Row]) -> None:
        error = (story.ended or {}).get("error") or {}
        if error:
            title = _escaped(f"{story.kind or 'run'}: {error.get('where') or 'failed'}", True)
            kind = "notice" if (story.ended or {}).get("result") == "waiting" else "error"
            self._out.line(f"::{kind} title={title}::{_escaped(str(error.get('what', '')))}")
        if self._summary:
            try:
                with Path(self._summary).open("a", encoding="utf-8") as file:
                    file.write(markdown(story, rows))
            except (OSError, ValueError):
                self._out.line("the job summary could not be written")

    def _group(self, title: str) -> None:
        self.close()
        self._out.line(f"::group::{title}")
        self._open = True


def markdown(story: Story, rows: list[Row]) -> str:
    """The job summary: the last words of the run, then every step."""
    lines = [f"### {_safe(rows[0][1])}", ""]
    quote: list[str] = []
    for label, text in rows[1:]:
        if label == "|":
            quote.append(" " * 6 + text)  # an indented block: nothing in it is markup
            continue
        lines += _block(quote)
        lines.append(f"- **{label}**: {_safe(text)}")
    lines += _block(quote)
    if story.steps:
        lines += ["", "| step | state | took |", "| --- | --- | ---: |"]
        for step in story.steps.values():
            took = "" if step.seconds is None else duration(step.seconds)
            lines.append(f"| {_safe(clean(step.id))} | {step.state} | {took} |")
    return "\n".join([*lines, "", ""])


def _block(quote: list[str]) -> list[str]:
    found = ["", *quote, ""] if quote else []
    quote.clear()
    return found


def _safe(text: str) -> str:
    """Text that is only text in markdown."""
    return "".join("\\" + c if c in "\\`*_{}[]<>#|~!&@" else c for c in text)


def _escaped(text: str, title: bool = False) -> str:
    found = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    if title:
        found = found.replace(":", "%3A").replace(",", "%2C")
    return clean(found)
