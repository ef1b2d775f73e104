"""The last words of a run: what happened, why, what to do next."""

from __future__ import annotations

from typing import Any

from cbctl.render.clean import LINES_SHOWN, clean, evidence_lines
from cbctl.render.story import Story
from cbctl.render.words import changed, count, duration

CHANGES_SHOWN = 12

Row = tuple[str, str]
"""Label and text; the first row has the label `good`, `bad` or `stopped`, evidence has `|`."""


def ending(story: Story, width: int = 76, evidence: int = LINES_SHOWN) -> list[Row]:
    data: Any = story.ended or {}
    error: Any = data.get("error") or {}
    result = str(data.get("result", ""))
    changes: list[Any] = list(data.get("changes") or [])
    rows: list[Row] = [(_tone(result), _what(story, result, changes))]
    rows += _why(story, error, evidence)
    if result != "succeeded" or story.resumed:
        rows += _changes(story, changes, width)  # else they stand beside the steps already
    for step in story.steps.values():
        if step.state == "undone":
            rows.append(("undone", clean(step.id)))
        elif step.state == "not undone":
            rows.append(("stays", f"{clean(step.id)}: {clean(step.cannot)}"))
    if result not in ("succeeded", "unchanged"):
        rows.append(("next", _next(story, result, error, changes)))
    if data.get("release"):
        rows.append(("release", clean(data["release"])))
    if story.run:
        rows.append(("run", clean(story.run)))
    return rows


def grouped(rows: list[Row]) -> list[Row]:
    """The same rows, a label that was just written left out."""
    before = ["", *(label for label, _ in rows)]
    return [("" if b == r[0] != "|" else r[0], r[1]) for b, r in zip(before, rows, strict=False)]


def _tone(result: str) -> str:
    if result in ("succeeded", "unchanged"):
        return "good"
    return "stopped" if result in ("waiting", "cancelled", "refused") else "bad"


def _what(story: Story, result: str, changes: list[Any]) -> str:
    name = clean(story.kind) or "the run"
    spent = duration(story.seconds)
    made = count(len(changes), "change")
    begun = sum(_begun(story, one) for one in changes)
    told = (
        f"{count(len(changes) - begun, 'change')} made, {begun} begun" if begun else f"{made} made"
    )
    if begun and begun == len(changes):
        told = f"{made} begun"
    match result:
        case "succeeded":
            steps = count(len({c.get("step") for c in changes if isinstance(c, dict)}), "step")
            still = story.count("unchanged")
            same = f", {count(still, 'step')} already right" if still else ""
            return f"{name} succeeded in {spent}: " + (
                f"{made} in {steps}{same}" if changes else "everything was already right"
            )
        case "unchanged":
            because = [step.because for step in story.steps.values()]
            if len(because) == 1 and because[0]:
                return f"nothing to do: {clean(because[0])}"
            return f"nothing to do: {count(len(because), 'step')} checked in {spent}"
        case "waiting":
            return f"{name} waits, after {spent}; {made} made or begun stay"
        case "failed":
            return f"{name} failed after {spent}; " + (
                f"{told} before that" if changes else "nothing was changed"
            )
        case "undone":
            return f"{name} failed after {spent}; {made} undone, all is as it was before"
        case "not undone":
            return f"{name} failed after {spent}; {told} and not undone"
        case "interrupted":
            return f"{name} was interrupted, last heard of after {spent}; " + (
                f"{made} made or begun" if changes else "nothing was changed"
            )
        case "cancelled":
            return f"{name} was stopped after {spent}; " + (
                f"{made} made or begun stay" if changes else "nothing was changed"
            )
        case "refused":
            return f"{name} was refused; nothing was changed"
        case _:
            return f"{name} ended: {clean(result)}"


def _why(story: Story, error: Any, limit: int) -> list[Row]:
    if not error:
        return []
    where, what = clean(error.get("where") or ""), clean(error.get("what") or "")
    rows: list[Row] = [("why", f"{where}: {what}" if where else what)]
    cause = story.cause
    if cause and cause.evidence:
        rows += [("|", line) for line in evidence_lines(cause.evidence, limit)]
    for step in story.failed:
        if step is not cause:
            rows.append(("also", f"{clean(step.id)}: {clean(step.error)}"))
    return rows


def _changes(story: Story, changes: list[Any], width: int) -> list[Row]:
    rows: list[Row] = []
    for made in changes[:CHANGES_SHOWN]:
        step = clean(made.get("step", "")) if isinstance(made, dict) else ""
        label = "begun" if _begun(story, made) else "changed"
        rows += [(label, f"{step}  {line}") for line in changed([made], width - len(step) - 2)]
    if len(changes) > CHANGES_SHOWN:
        rows.append((rows[-1][0], f"and {len(changes) - CHANGES_SHOWN} more"))
    return rows


def _begun(story: Story, change: Any) -> bool:
    """Its step did not come to its end: nobody but the step can say how far it got."""
    step = story.steps.get(str(change.get("step"))) if isinstance(change, dict) else None
    return step is not None and (step.unsure or step.state == "running")


def _next(story: Story, result: str, error: Any, changes: list[Any]) -> str:
    fix = clean(error.get("fix") or "") if error else ""
    if fix:
        return fix
    match result:
        case "undone" | "refused":
            return "solve the cause, then run the command again"
        case _ if story.run and (changes or result == "cancelled"):
            return f"solve the cause, then: cbctl resume {clean(story.run)}"
        case _:
            return "solve the cause, then run the command again"
