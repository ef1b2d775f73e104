"""The database's part of `cbctl rollback --with-database`, on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.db.backup_house import BackupHouse, back_up, house_on
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.cli.database_back import take_back
from cbctl.engine import release
from cbctl.engine.journal import Head
from cbctl.engine.step import Json
from cbctl.errors import CbctlError, Exit
from cbctl.wiring.lock import locked
from cbctl.wiring.workplace import Workplace, open_workplace


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    made = house_on(tmp_path, forked, one_database)
    made.write(
        m1_old__up="create table things (id int, old int); insert into things values (1, 7)",
        m1_old__down="drop table things",
    )
    made.db("migrate", "--yes")
    return made


@pytest.fixture
def place(house: BackupHouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(house.folder)
    yield open_workplace(None, "dev", say=print, create=True, chain=True)


def record(place: Workplace, code: str, low: int, high: int) -> None:
    parts: dict[str, Json] = {"api": code, "schema_min": low, "schema_max": high}
    with locked(place, "a test") as held:
        release.record(
            place.store,
            place.world.clock,
            held.token,
            run=f"run-{code}",
            who="somebody",
            state="healthy",
            parts=parts,
            identity={},
            head=Head("runs/x", 1, ""),
        )


def contract(house: BackupHouse, *, reversible: bool) -> None:
    house.write(m2_no__up="-- cbctl: phase=post\nalter table things drop column old")
    if reversible:
        house.write(m2_no__down="alter table things add old int")
    house.db("migrate", "--phase", "post", "--yes")


def columns(house: BackupHouse) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = house.database.rows(
        "select column_name::text from information_schema.columns where table_name = 'things' "
        "order by 1"
    )
    return found


def test_by_down_files_after_the_name_was_typed(
    house: BackupHouse, place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    record(place, "a", 1, 1)
    contract(house, reversible=True)
    record(place, "b", 1, 2)
    with pytest.raises(CbctlError) as stopped:
        take_back(place, None, "other")
    assert stopped.value.exit is Exit.CANCELLED and columns(house) == [("id",)]
    with pytest.raises(CbctlError) as unsaid:
        take_back(place, None, None)
    assert unsaid.value.fix.endswith(f"--database {house.database.name}")
    id, ended = take_back(place, None, house.database.name)
    assert id == "r1" and ended is not None and ended.exit is Exit.DONE
    assert "runs 0002_no.down.sql" in capsys.readouterr().out
    assert columns(house) == [("id",), ("old",)]
    assert take_back(place, None, None) == ("r1", None)  # nothing to ask any more


def test_by_the_proved_backup_where_no_down_file_is(
    house: BackupHouse, place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    record(place, "a", 1, 1)
    made = back_up(house)
    contract(house, reversible=False)
    record(place, "b", 1, 2)
    with pytest.raises(CbctlError, match="no proved backup"):
        take_back(place, None, house.database.name)
    house.db("verify-backup", made.name)
    id, ended = take_back(place, None, house.database.name)
    assert id == "r1" and ended is not None and ended.exit is Exit.DONE
    told = capsys.readouterr().out
    assert f"backup {made.name} takes its place" in told
    assert "everything that was written since" in told
    assert house.database.rows("select old from things") == [(7,)]
