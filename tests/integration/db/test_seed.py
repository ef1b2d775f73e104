"""`cbctl db seed`: invented data, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.integration.db.backup_house import BackupHouse, house_on
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

ROOT = Path(__file__).parents[3]


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    made = house_on(tmp_path, forked, one_database)
    seeds = tmp_path / "migrations" / "seeds"
    seeds.mkdir()
    (seeds / "synthetic.sql").write_text(
        "begin; insert into people (name) values ('invented'); commit;"
    )
    (seeds / "synthetic.verify.sql").write_text(
        "select exists (select from people where name = 'invented')"
    )
    (seeds / "broken.sql").write_text(
        "insert into people (name) values ('invented'); select nobody()"
    )
    return made


def invented(house: BackupHouse) -> int:
    return len(house.database.rows("select from people where name = 'invented'"))


def test_it_comes_once_and_only_where_it_may(house: BackupHouse) -> None:
    assert house.db("migrate", "--plan").exit == 0  # the folder beside is no migration
    planned = house.db("seed", "dev", "--profile", "synthetic", "--plan", exit=2)
    assert "data of synthetic" in planned.out and invented(house) == 0
    house.db("seed", "dev", "--profile", "synthetic", "--yes")
    house.db("seed", "dev", "--profile", "synthetic", "--yes")
    assert invented(house) == 1
    told = house.db("seed", "dev", "--profile", "other", "--yes", exit=7)
    assert "there is no profile 'other': broken, synthetic" in told.err
    assert (
        "seeds/broken.sql failed"
        in house.db("seed", "dev", "--profile", "broken", "--yes", exit=5).err
    )
    assert invented(house) == 1
    house.configure(protected=True)
    for words in (("--yes",), ("--confirm", "dev")):
        told = house.db("seed", "dev", "--profile", "broken", *words, exit=7)
        assert "a protected environment takes no invented data" in told.err


@pytest.mark.parametrize(
    "hidden",
    [
        "--\rcommit;\r--\rbegin;\rdelete from people;\rcommit;",
        "set transaction read write; delete from people; select 1/0",
    ],
)
def test_looking_whether_it_is_there_changes_nothing(house: BackupHouse, hidden: str) -> None:
    before = house.database.rows("select count(*) from people")
    (house.folder / "migrations" / "seeds" / "synthetic.verify.sql").write_text(hidden)
    wanted = 64 if "commit" in hidden else 2
    told = house.db("seed", "dev", "--profile", "synthetic", "--plan", exit=wanted)
    assert ("controls the transaction itself" in told.err) == (wanted == 64)
    assert house.database.rows("select count(*) from people") == before


def test_a_foreign_database_gets_nothing(house: BackupHouse) -> None:
    house.database.do("update cbctl_marker set environment = 'other'")
    told = house.db("seed", "dev", "--profile", "synthetic", "--yes", exit=7)
    assert "belongs to test-house/other" in told.err and invented(house) == 0
    house.database.do("drop table cbctl_marker")
    assert (
        "cbctl db migrate" in house.db("seed", "dev", "--profile", "synthetic", "--yes", exit=7).err
    )


def test_what_the_platform_ships(tmp_path: Path, forked: Forked, one_database: Database) -> None:
    house = BackupHouse(tmp_path, forked, one_database)
    shutil.copytree(ROOT / "src/cbapi/migrations", tmp_path / "migrations")
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    house.configure()
    house.db("migrate", "--new-database", "--yes")
    house.db("seed", "dev", "--profile", "synthetic", "--yes")
    again = house.db("seed", "dev", "--profile", "synthetic", "--yes")
    assert "the data of synthetic is there" in again.err
    assert house.database.rows("select count(*) from program_config_cache") == [(2000,)]
