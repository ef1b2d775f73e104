from __future__ import annotations

import re
from typing import Any

from tests.unit.render.support import CHANGES, CONTROL, NASTY, planning

from cbctl.render.plan import text
from cbctl.render.words import change


def step(id: str, verdict: str, **data: Any) -> dict[str, Any]:
    return {"id": id, "verdict": verdict, "because": "", "changes": [], "summary": "", **data}


STEPS = [
    step("postgres", "nothing"),
    step("cache", "nothing"),
    step(
        "program",
        "changes",
        summary="Uploads the program",
        changes=[*CHANGES, {"what": "buffer", "before": "Buf1", "after": None}],
    ),
    step("migrate", "changes", summary="Migrates", changes=[{"what": "migration 0002_users"}]),
    step(
        "api",
        "after",
        because="after migrate",
        changes=[{"what": "process", "before": None, "after": None}],
    ),
]


def test_a_plan_with_changes() -> None:
    assert text(STEPS, hash="9f3a1c02aa" * 6) == (
        "To change\n"
        "  program: Uploads the program\n"
        "      ~ program bytes: 3f9a3f9a3f9a3f9a3f…3f9a3f9a → 77b077b077b077b077…77b077b0\n"
        "      + authority: 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbr\n"
        "      - buffer: Buf1\n"
        "  migrate: Migrates\n"
        "      ~ migration 0002_users\n"
        "\n"
        "Decided later, at most this\n"
        "  ? api: after migrate\n"
        "      ~ process\n"
        "\n"
        "Already right (2): postgres, cache\n"
        "\n"
        "4 changes in 2 steps, 1 step decided later. Plan 9f3a1c02aa9f\n"
    )


def test_what_is_blocked_comes_first_with_its_fix() -> None:
    blocked = step(
        "cache", "blocked", because="Redis is not the one recorded", fix="cbctl env record staging"
    )
    shown = text([*STEPS, blocked])
    assert shown.startswith(
        "Blocked: nothing is done before this is solved\n"
        "  ! cache: Redis is not the one recorded\n"
        "      fix: cbctl env record staging\n"
        "\n"
        "To change\n"
    )
    assert shown.endswith("\n1 step blocked.\n")


def test_nothing_to_do() -> None:
    assert text(STEPS[:2]) == "Already right (2): postgres, cache\n\nNothing to do.\n"


def test_made_from_events() -> None:
    observed = [e.data for e in planning() if e.type == "step.observed"]
    assert "Already right (1): postgres" in text(observed)


def test_fits_eighty_columns_and_is_plain() -> None:
    long = [
        step(f"step-{n}", "nothing", changes=[{"what": "x", "before": "a" * 300, "after": "b" * 9}])
        for n in range(40)
    ]
    for verdict in ("nothing", "changes", "after", "blocked"):
        words = "many words " * 20
        shown = text([{**s, "verdict": verdict, "because": words, "fix": words} for s in long])
        assert max(map(len, shown.splitlines())) <= 80
        assert not CONTROL.search(shown)


def test_text_from_outside_is_neutralised() -> None:
    hostile = {"what": NASTY, "before": NASTY, "after": [NASTY]}
    for verdict in ("nothing", "changes", "after", "blocked"):
        shown = text(
            [step(NASTY, verdict, because=NASTY, fix=NASTY, summary=NASTY, changes=[hostile])]
        )
        assert not CONTROL.search(shown)


def test_colours_only_when_asked_for() -> None:
    coloured = text(STEPS, colour=True)
    assert "\x1b[33m~\x1b[0m program bytes" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == text(STEPS)


def test_shortened_values_still_show_the_difference() -> None:
    one, two = "registry/app@sha256:" + "a" * 64, "registry/app@sha256:" + "a" * 40 + "b" + "a" * 23
    line = change({"what": "image", "before": one, "after": two}, 70)
    before, after = line.split(": ", 1)[1].split(" → ")
    assert before != after and len(line) <= 70
    assert change({"what": "replicas", "before": 2, "after": 3}) == "~ replicas: 2 → 3"
    assert change({"what": "on", "before": False, "after": True}) == "~ on: false → true"
    assert change({"what": "note", "before": "", "after": "x"}) == '~ note: "" → x'


def test_why_nothing_is_to_be_done_where_it_is_all_there_is() -> None:
    alone = [{"id": "pause", "verdict": "nothing", "because": "it is paused since\x1b[31m slot 7"}]
    assert text(alone).startswith("Already right (1): pause: it is paused since slot 7\n")
