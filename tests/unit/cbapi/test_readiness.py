from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import cbapi
from cbapi.domain import schema
from cbapi.domain.readiness import Check, CheckFailed, check_all, overall
from cbapi.storage.queries import query

PACKAGE = Path(cbapi.__file__).parent


async def _good() -> dict[str, Any]:
    return {"a": 1}


async def _bad() -> dict[str, Any]:
    raise CheckFailed("no", n=2)


async def _throws() -> dict[str, Any]:
    raise ValueError("host.internal")


async def _hangs() -> dict[str, Any]:
    await asyncio.sleep(30)
    return {}


async def _ignores_cancellation() -> dict[str, Any]:
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        await asyncio.sleep(30)
    return {}


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ({"database": _good, "redis": _good, "solana_rpc": _good}, "healthy"),
        ({"database": _good, "redis": _bad}, "degraded"),
        ({"database": _good, "redis": _throws}, "degraded"),
        ({"database": _good, "solana_rpc": _hangs}, "degraded"),
        ({"database": _good, "solana_rpc": _ignores_cancellation}, "degraded"),
        ({"database": _bad, "redis": _good}, "unhealthy"),
        ({"database": _throws, "redis": _bad}, "unhealthy"),
        ({"database": _hangs}, "unhealthy"),
    ],
)
def test_overall(checks: dict[str, Check], expected: str) -> None:
    async def run() -> str:
        started = monotonic()
        results = await check_all(checks, limit=0.1)
        assert monotonic() - started < 10, "nobody waits for one that does not end"
        assert "host.internal" not in str(results)
        return overall(results)

    assert asyncio.run(run()) == expected


def test_details() -> None:
    good, bad = asyncio.run(check_all({"database": _good, "redis": _bad}))
    assert (good.status, good.details) == ("healthy", {"a": 1})
    assert (bad.status, bad.details) == ("degraded", {"reason": "no", "n": 2})


@pytest.mark.parametrize(
    ("version", "newest_post", "fits"),
    [
        (None, None, False),
        (1, None, False),
        (2, 2, True),
        (4, 1, True),
        (4, 4, True),
        (6, 4, True),  # 5 and 6 only add
        (6, 5, False),  # 5 takes something away that this code may need
    ],
)
def test_schema_rule(version: int | None, newest_post: int | None, fits: bool) -> None:
    accepted = schema.SchemaRange(2, 4)
    if fits:
        schema.require(version, newest_post, accepted)
    else:
        with pytest.raises(CheckFailed):
            schema.require(version, newest_post, accepted)


def test_the_declared_range_ends_with_the_newest_migration() -> None:
    declared = json.loads((PACKAGE / "schema.json").read_text())
    numbers = [int(path.name[:4]) for path in (PACKAGE / "migrations").glob("*.up.sql")]
    assert declared == {"min": schema.RANGE.min, "max": schema.RANGE.max}
    assert max(numbers) == declared["max"]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_every_migration_has_its_way_back() -> None:
    names = {path.name for path in (PACKAGE / "migrations").iterdir()}
    names -= {"anonymize.toml", "seeds"}  # for copies of the data, and for invented data
    for name in names:
        assert re.fullmatch(r"[0-9]{4}_[a-z0-9_]+\.(up|down)\.sql", name)
        other = name.replace(".up.", ".?.").replace(".down.", ".up.").replace(".?.", ".down.")
        assert other in names


def test_sql_lives_in_files_and_each_is_used() -> None:
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    for path in (PACKAGE / "storage" / "sql").iterdir():
        assert query(path.stem)
        assert f'"{path.stem}"' in code
    words = r"\"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE)\s"
    assert not re.search(words, code, re.IGNORECASE)


def test_nothing_of_cbctl_is_imported() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) cbctl\b", path.read_text(), re.MULTILINE), path


def test_modules_stay_small() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert path.read_text().count("\n") <= 250, path
