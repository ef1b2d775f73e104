"""Which pg_dump and pg_restore will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.clients.postgres.databases import name_with
from cbctl.clients.postgres.tools import Tools, restoring, usable


def tools(*majors: int) -> list[Tools]:
    return [Tools(Path(str(major)), major) for major in majors]


@pytest.mark.parametrize(
    ("here", "server", "chosen"),
    [((14, 15, 16), 15, 15), ((18, 16), 15, 16), ((14,), 15, None), ((), 15, None)],
)
def test_a_dump_is_never_made_by_an_older_program(
    here: tuple[int, ...], server: int, chosen: int | None
) -> None:
    found = usable(tools(*here), server)
    assert (found.major if found else None) == chosen


@pytest.mark.parametrize(
    ("here", "server", "dumped_by", "chosen"),
    [
        ((15, 16, 18), 15, 15, 15),
        ((15, 16, 18), 16, 15, 16),
        ((15, 16, 18), 18, 15, 18),
        ((15, 16, 18), 15, 16, 16),  # reads what 15 does not, and says nothing that 15 refuses
        ((15, 16, 18), 15, 18, None),  # would set transaction_timeout
        ((15, 16), 18, 18, None),
    ],
)
def test_what_restores_reads_the_archive_and_is_understood(
    here: tuple[int, ...], server: int, dumped_by: int, chosen: int | None
) -> None:
    found = restoring(tools(*here), server, dumped_by)
    assert (found.major if found else None) == chosen


def test_names_stay_within_what_postgres_keeps() -> None:
    assert name_with("shop", "_x") == "shop_x"
    assert name_with("s" * 63, "_x") == "s" * 61 + "_x"
    assert len(name_with("ü" * 40, "_replaced").encode()) <= 63
