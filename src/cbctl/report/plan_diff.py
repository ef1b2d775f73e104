"""What differs between two saved plans: what they were made from, and what each would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cbctl.engine.saved_plan import Saved
from cbctl.report.diff import Difference, differences


@dataclass(frozen=True)
class PlanDiff:
    """
    made_from  hashes of runbook and configuration, version of cbctl, what was selected
    changes    by `step: what`, its value before and after as the one and the other plan have it;
               None where a plan does not change it
    facts      steps whose systems looked otherwise, though the same would be changed
    """

    a: Mapping[str, Any]
    b: Mapping[str, Any]
    same: bool
    made_from: tuple[Difference, ...]
    changes: tuple[Difference, ...]
    facts: tuple[str, ...]
    means: tuple[str, ...]


def compare(a: Saved, b: Saved) -> PlanDiff:
    made_from = tuple(differences(a.planned_from, b.planned_from))
    changes = tuple(differences(_changes(a), _changes(b)))
    verdicts = tuple(differences(_verdicts(a), _verdicts(b)))
    facts_a, facts_b = _facts(a), _facts(b)
    facts = tuple(id for id in facts_a if id in facts_b and facts_a[id] != facts_b[id])
    return PlanDiff(
        a=_side(a),
        b=_side(b),
        same=a.hash == b.hash,
        made_from=made_from,
        changes=(*verdicts, *changes),
        facts=facts,
        means=tuple(_means(a, b, made_from, changes, verdicts, facts)),
    )


def _side(saved: Saved) -> dict[str, Any]:
    return {
        "plan": saved.hash,
        "environment": saved.environment,
        "at": saved.at,
        "who": saved.who,
        "changes": len(_changes(saved)),
    }


def _changes(saved: Saved) -> dict[str, Any]:
    found = {}
    for step in saved.steps:
        for change in step["verdict"].get("changes") or []:
            name = f"{step['id']}: {change.get('what')}"
            found[name] = {"before": change.get("before"), "after": change.get("after")}
    return found


def _verdicts(saved: Saved) -> dict[str, Any]:
    """Of the steps that hold a plan up; of the others the changes say all."""
    return {
        f"{step['id']}: blocked": step["verdict"].get("because")
        for step in saved.steps
        if step["verdict"].get("verdict") == "blocked"
    }


def _facts(saved: Saved) -> dict[str, Any]:
    return {step["id"]: step.get("facts") for step in saved.steps}


def _means(
    a: Saved,
    b: Saved,
    made_from: tuple[Difference, ...],
    changes: tuple[Difference, ...],
    verdicts: tuple[Difference, ...],
    facts: tuple[str, ...],
) -> list[str]:
    if a.hash == b.hash:
        return ["they are the same plan"]
    told = []
    if (a.platform, a.environment) != (b.platform, b.environment):
        told.append("they are plans of different environments")
    if made_from:
        names = ", ".join(d.what for d in made_from)
        told.append(f"they were made from another {names}")
    new = [d for d in changes if d.before is None]
    gone = [d for d in changes if d.after is None]
    other = [d for d in changes if d.before is not None and d.after is not None]
    for found, words in (
        (new, "only B would make"),
        (gone, "only A would make"),
        (other, "both would make, with other values,"),
    ):
        if found:
            told.append(f"{words} {len(found)} of these changes")
    if facts and not changes and not verdicts:
        told.append(
            "both would change the same; they count as different because the systems looked "
            f"otherwise in {', '.join(facts)}"
        )
    return told
