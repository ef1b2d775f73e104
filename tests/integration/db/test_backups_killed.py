"""kill -9 while a backup is made or proved: the next run goes on or cleans up, and what was half
made never counts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.integration.db.backup_house import (
    BackupHouse,
    back_up,
    house_on,
    nothing_left,
    place,
)
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked

from cbctl.local import processes


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    made = house_on(tmp_path, forked, one_database)
    one_database.do("insert into people (name) select 'n' || n from generate_series(1, 200000) n")
    return made


def started_for(house: BackupHouse) -> list[psutil.Process]:
    """Programs that live for this house's scratch folders."""
    found = []
    for process in psutil.process_iter():
        try:
            variables, words = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        if processes.MARKER in variables and any(str(house.folder) in word for word in words):
            found.append(process)
    return found


def test_killed_while_dumping_the_next_run_cleans_up(house: BackupHouse) -> None:
    house.kill_when("database-backups/.making-*/dump/*.dat.gz", "backup", "--yes")
    assert "no backup yet" in house.db("backups").out
    assert "there is no backup" in house.db("verify-backup", exit=64).err
    back_up(house)
    assert len(house.db("backups", "-o", "json").json) == 1
    house.db("verify-backup")
    nothing_left(house)
    assert not started_for(house)


@pytest.mark.nightly
def test_killed_while_dumping_a_resume_makes_it(house: BackupHouse) -> None:
    house.kill_when("database-backups/.making-*/dump/*.dat.gz", "backup", "--yes")
    (making,) = place(house).glob(".making-*")
    ended = house.forked.run(
        ("resume", "--env", "dev", "--yes"), cwd=house.folder, env=house.environment, limit=200
    )
    assert ended.exit == 0, ended
    (row,) = house.db("backups", "-o", "json").json
    assert row["backup"] == making.name.removeprefix(".making-")
    house.db("verify-backup")
    nothing_left(house)


def test_killed_while_proving_no_server_stays(house: BackupHouse) -> None:
    back_up(house)
    house.kill_when("scratch/verify-*/data/postmaster.pid", "verify-backup")
    time.sleep(0.2)
    assert started_for(house), "the server of a killed cbctl was to be there"
    assert "not verified" in house.db("backups").out
    house.db("verify-backup")
    assert not started_for(house)
    nothing_left(house)


def test_ctrl_c_breaks_off_the_dump_and_the_counting(house: BackupHouse) -> None:
    """Both wait for a lock here, and would for a minute."""
    sessions = "select count(*) from pg_stat_activity where datname = current_database()"
    with house.database.connect() as other, house.database.connect() as watcher:
        other.execute("begin; lock table people in access exclusive mode")
        process = subprocess.Popen(
            [sys.executable, "-m", "cbctl", "db", "backup", "--yes"],
            cwd=house.folder,
            env=house.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        waiting = f"{sessions} and wait_event_type = 'Lock'".encode()
        end = time.monotonic() + 60
        while watcher.execute(waiting).fetchone() < (2,):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(55) == 8
        assert watcher.execute(sessions.encode()).fetchone() == (2,)
    assert "no backup yet" in house.db("backups").out
    nothing_left(house)
