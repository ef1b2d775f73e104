"""Which backups are old enough to go."""

from __future__ import annotations

import calendar

from cbctl.clients.backups.place import Kept
from cbctl.steps.db.prune import due

LIMIT = float(calendar.timegm((2026, 2, 1, 0, 0, 0)))


def backups(*names: str) -> list[Kept]:
    """ "05p": of the fifth of January, proved; "05x": with a problem; "05-": without its files."""
    return [
        Kept(
            f"202601{name[:2]}T000000Z-abcde{'-' if '-' in name else 'f'}",
            None,
            None,
            "a problem" if "x" in name else "",
            "p" in name,
        )
        for name in names
    ]


def days(*names: str) -> list[str]:
    found = due(backups(*names), LIMIT, lambda one: not one.id.endswith("-"))
    return [id[6:8] for id in found]


def test_the_newest_and_the_newest_proved_stay() -> None:
    assert days() == []
    assert days("01") == []
    assert days("01", "02", "03") == ["01", "02"]
    assert days("01p", "02", "03") == ["02"]
    assert days("01p", "02p", "03") == ["01"]
    assert days("01", "02p") == ["01"]


def test_one_without_its_files_or_with_a_problem_spares_no_other() -> None:
    assert days("01p", "02", "03-", "04p-") == ["03", "04"]
    assert days("01", "02", "03x") == ["01", "03"]
    assert days("01p", "02px", "03") == ["01"], "a problem may be written by anybody"


def test_nothing_that_is_young_goes() -> None:
    assert due(backups("01", "02", "03"), LIMIT - 100 * 86_400, lambda one: True) == []
