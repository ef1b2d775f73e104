"""A place that somebody else writes into: what lies there is believed as little as can be."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.db.backup_house import BackupHouse, back_up, house_on, nothing_left
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.manifest import File


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    return house_on(tmp_path, forked, one_database)


def rewrite(made: Path, **changed: Any) -> None:
    """The manifest with other words, and a digest that fits."""
    found = manifests.read((made / "manifest.json").read_bytes(), "")
    (made / "manifest.json").write_bytes(
        manifests.to_bytes(msgspec.structs.replace(found, **changed))
    )


def ahead(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


def names(path: str) -> dict[str, Any]:
    return {"files": (File(path, 1, "0" * 64),)}


def instead(made: Path, make: Callable[[Path], object]) -> None:
    """Something else than a file has the manifest's name."""
    (made / "manifest.json").unlink()
    make(made / "manifest.json")


CRAFTED: dict[str, Callable[[Path], object]] = {
    "yesterday": lambda m: rewrite(m, made_at="yesterday"),
    "without a zone": lambda m: rewrite(m, made_at="2026-11-26T08:30:00.000"),
    "a day": lambda m: rewrite(m, made_at="2026-11-26"),
    "the future": lambda m: rewrite(m, made_at=ahead(3600)),
    "the id of another": lambda m: rewrite(m, id="20260101T000000Z-aaaaaa"),
    "a path": lambda m: rewrite(m, **names("x/y")),
    "a long path": lambda m: rewrite(m, **names("dump/" + "a" * 5000)),
    "a path outside": lambda m: rewrite(m, **names("../dump/toc.dat")),
    "a number": lambda m: rewrite(m, schema_version=-1),
    "half a character": lambda m: rewrite(m, who="\ud800"),
    "not UTF-8": lambda m: (m / "manifest.json").write_bytes(b'{"format": "\xff"}'),
    "nested": lambda m: (m / "manifest.json").write_text('{"a":' * 100_000),
    "a list": lambda m: (m / "manifest.json").write_text("[1]"),
    "a folder": lambda m: instead(m, Path.mkdir),
    "a pipe": lambda m: instead(m, os.mkfifo),
}


def test_a_crafted_manifest_is_a_problem_of_that_backup_alone(house: BackupHouse) -> None:
    good = back_up(house)
    house.db("verify-backup", good.name)
    bad = good.with_name("20260301T000000Z-abcdef")
    for name, craft in CRAFTED.items():
        shutil.copytree(good, bad)
        rewrite(bad, id=bad.name)
        craft(bad)
        rows = {row["backup"]: row for row in house.db("backups", "-o", "json").json}
        assert rows[bad.name]["problem"], name
        assert rows[good.name]["verified"], name
        told = house.db("verify-backup", bad.name, exit=10).err
        assert "damaged" in told or "cannot be read" in told, (name, told)
        shutil.rmtree(bad)
    for proof in (b"[" * 100_000, b'{"at": "\xff"}', b"x"):
        (good / "verified.json").write_bytes(proof)
        assert not house.db("backups", "-o", "json").json[0]["problem"]
    history = (house.state / "backups" / "history.ndjson").read_text()
    assert len(history.splitlines()) == 1
    house.db("verify-backup", good.name)  # and nothing is in the way of the next


def test_what_the_manifest_does_not_list_is_not_restored(house: BackupHouse) -> None:
    made = back_up(house, "--no-checksums")
    data = max((made / "dump").glob("*.dat.gz"), key=lambda path: path.stat().st_size)
    other = gzip.decompress(data.read_bytes()).replace(b"name 7\t", b"forged\t")
    (made / "dump" / data.name.removesuffix(".gz")).write_bytes(other)
    copy = f"{house.database.name}_copy"
    house.db("restore", "--into", copy, "--yes")
    with house.database.server.connect(copy) as connection:
        forged = connection.execute("select count(*) from people where name = 'forged'").fetchone()
    assert forged == (0,)
    house.db("verify-backup")
    nothing_left(house)


def test_a_link_is_no_file_of_a_backup(house: BackupHouse, tmp_path: Path) -> None:
    made = back_up(house)
    toc = made / "dump" / "toc.dat"
    toc.rename(tmp_path / "toc.dat")
    toc.symlink_to(tmp_path / "toc.dat")
    assert "table of contents" in house.db("verify-backup", exit=10).out
    assert json.loads((made / "verified.json").read_text())["problems"]
