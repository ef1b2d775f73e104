"""How the database goes back with the code: down files first, then a proved backup, else no way."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.backups.place import Kept
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.ledger import Applied
from cbctl.clients.postgres.migrations import Migration, read_folder
from cbctl.errors import CbctlError, Exit
from cbctl.report.way_back import WayBack, way_back


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "0001_users.up": "create table users (id int, old int);",
        "0001_users.down": "drop table users;",
        "0002_new.up": "alter table users add fresh int;",
        "0002_new.down": "alter table users drop column fresh;",
        "0003_no_old.up": "-- cbctl: phase=post\nalter table users drop column old;",
        "0003_no_old.down": "alter table users add old int;",
        "0004_seen.up": "alter table users add seen int;",
        "0004_seen.down": "alter table users drop column seen;",
    }.items():
        (tmp_path / f"{name}.sql").write_text(text)
    return tmp_path


def applied(migrations: tuple[Migration, ...], upto: int = 4) -> list[Applied]:
    entries = [one.entry for one in migrations if one.entry.version <= upto]
    return [Applied(e.version, e.name, e.phase, e.checksum) for e in entries]


def backup(id: str, schema: int, *, proved: bool = True) -> Kept:
    made = Manifest(
        format=1, id=id, platform="p", environment="e", database="d",
        made_at=f"2026-01-{id[-2:]}T00:00:00.000Z", seconds=1, server="15.1", tools=15,
        snapshot="", lsn="", encoding="UTF8", collate="C", ctype="C", schema_version=schema,
        who="", host="", run="", cbctl="", recipient="", files=(), tables={}, sequences={},
        objects={},
    )  # fmt: skip
    return Kept(id, made, None, recorded=proved)


def test_code_that_works_with_the_schema_needs_none(folder: Path) -> None:
    found = read_folder(folder)
    assert not way_back(SchemaRange(1, 3), found, applied(found), []).needed
    assert not way_back(SchemaRange(1, 2), found, applied(found, 2), []).needed


def test_down_files_go_back_no_further_than_needed(folder: Path) -> None:
    found = read_folder(folder)
    assert way_back(SchemaRange(1, 2), found, applied(found), [backup("b01", 2)]) == WayBack(
        to=2,
        down=("0004_seen.down.sql", "0003_no_old.down.sql"),
        lost=("0004_seen: alter table users drop column seen",),
    )


def test_without_a_down_file_the_newest_proved_backup_that_fits(folder: Path) -> None:
    (folder / "0003_no_old.down.sql").unlink()
    found = read_folder(folder)
    backups = [
        backup("b01", 1),
        backup("b02", 2),
        backup("b03", 2, proved=False),
        backup("b04", 4),
        Kept("b05", None, None, "damaged"),
    ]
    way = way_back(SchemaRange(1, 2), found, applied(found), backups)
    assert (way.backup, way.to, way.down) == ("b02", 2, ())
    assert way.lost == ("everything that was written since 2026-01-02T00:00:00.000Z",)
    with pytest.raises(CbctlError, match="0003_no_old has no down file") as refused:
        way_back(SchemaRange(1, 2), found, applied(found), backups[2:])
    assert refused.value.exit is Exit.REFUSED
