"""Which backups are old enough to go."""

from __future__ import annotations

import calendar

from cbctl.clients.backups.manifest import Proof
from cbctl.clients.backups.place import Kept
from cbctl.steps.db.prune import due

LIMIT = float(calendar.timegm((2026, 2, 1, 0, 0, 0)))
PROOF = Proof(at="", who="", host="", server="", manifest="")


def backups(*names: str) -> list[Kept]:
    """ "05p": of the fifth of January, proved."""
    return [
        Kept(f"202601{name[:2]}T000000Z-abcdef", None, PROOF if name.endswith("p") else None)
        for name in names
    ]


def days(*names: str) -> list[str]:
    return [id[6:8] for id in due(backups(*names), LIMIT)]


def test_the_newest_and_the_newest_proved_stay() -> None:
    assert days() == []
    assert days("01") == []
    assert days("01", "02", "03") == ["01", "02"]
    assert days("01p", "02", "03") == ["02"]
    assert days("01p", "02p", "03") == ["01"]
    assert days("01", "02p") == ["01"]


def test_nothing_that_is_young_goes() -> None:
    assert due(backups("01", "02", "03"), LIMIT - 100 * 86_400) == []
