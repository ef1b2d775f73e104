"""What a value becomes before it is shown or journalled."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.engine.world import machine


def test_a_text_is_looked_at_once_however_often_a_value_says_it() -> None:
    seen: list[str] = []

    def scrub(text: str) -> str:
        seen.append(text)
        return text.replace("hunter22", "***")

    world = replace(machine().world, scrub=scrub)
    value = [{"what": f"table {n} of hunter22", "why": ("hunter22", None, 7)} for n in (1, 2, 2)]
    told = [{"what": f"table {n} of ***", "why": ["***", None, 7]} for n in (1, 2, 2)]
    assert world.legible(value) == told
    assert sorted(seen) == ["hunter22", "table 1 of hunter22", "table 2 of hunter22", "what", "why"]
