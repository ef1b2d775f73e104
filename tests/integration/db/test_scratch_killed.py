"""kill -9 while a scratch database is built: the next command removes what was left, and works."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.db.backup_house import BackupHouse, nothing_in_scratch
from tests.integration.db.conftest import Database
from tests.integration.db.test_backups_killed import started_for
from tests.testbed.forked import Forked

from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.local.processes import working_in

COMMANDS = {
    "verify": ("verify",),
    "trace": ("trace",),
    "baseline": ("baseline", "--to", "20", "--yes"),
}
MOMENTS = {
    "made": "scratch/schema-*",
    "initialized": "scratch/schema-*/data/PG_VERSION",
    "started": "scratch/schema-*/data/postmaster.pid",
    "building": "scratch/schema-*/data/base/16*",  # the first database after the server's own
}
SAMPLE = {("verify", "building"), ("trace", "started"), ("baseline", "initialized")}
SCRATCH = "select datname from pg_database where datname like 'cbctl_scratch%'"


@pytest.fixture
def house(tmp_path: Path, forked: Forked, one_database: Database) -> BackupHouse:
    made = BackupHouse(tmp_path, forked, one_database)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "schema.json").write_text('{"min": 0, "max": 99}')
    made.configure()
    return made


def ready(house: BackupHouse, command: str) -> tuple[str, ...]:
    """The command and a database that it has something to do with."""
    ups = {n: f"create table t{n} (id int primary key);" for n in range(1, 21)}
    house.write(**{f"m{n}_t__up": text for n, text in ups.items()})
    if command == "baseline":
        house.database.do(" ".join(ups.values()))
        return COMMANDS[command]
    record_marker(house.database.address, Marker("test-house", "dev"))
    if command == "verify":
        house.db("migrate", "--yes")
    return COMMANDS[command]


def shared_memory(file: Path) -> str:
    """The id of a server's segment, by the seventh line of its file; "" before it has one."""
    lines = file.read_text().splitlines() if file.exists() else []
    return lines[6].split()[1] if len(lines) > 6 else ""


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        pytest.param(
            command,
            moment,
            marks=() if (command, moment) in SAMPLE else pytest.mark.nightly,
        )
        for command in COMMANDS
        for moment in MOMENTS
    ],
)
def test_on_a_server_of_its_own(house: BackupHouse, command: str, moment: str) -> None:
    words = ready(house, command)
    house.kill_when(MOMENTS[moment], *words)
    (left,) = (house.state / "scratch").iterdir()
    memory = shared_memory(left / "data" / "postmaster.pid")
    assert memory or moment != "building"
    house.db(*words)
    assert not started_for(house) and not working_in(left / "data", "postgres")
    nothing_in_scratch(house)
    known = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    assert memory not in [line.split()[1] for line in known]


@pytest.mark.parametrize(
    "command",
    ["verify", *(pytest.param(one, marks=pytest.mark.nightly) for one in ("trace", "baseline"))],
)
def test_on_a_named_server(house: BackupHouse, command: str) -> None:
    words = (*ready(house, command), "--on", "env:SCRATCH")
    house.more["SCRATCH"] = house.database.server.url("postgres")
    begun = f"{SCRATCH} and exists (select from pg_stat_activity a where a.datname = d.datname)"
    begun = begun.replace("pg_database", "pg_database d").replace("select datname", "select 1")
    with (
        house.database.connect() as watcher,
        subprocess.Popen(
            [sys.executable, "-m", "cbctl", "db", *words],
            cwd=house.folder,
            env=house.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        end = time.monotonic() + 120
        while watcher.execute(begun.encode()).fetchone() is None:
            assert process.poll() is None and time.monotonic() < end
        process.kill()
    assert house.database.rows(SCRATCH), "it was to be killed before its end"
    house.db(*words)
    assert not house.database.rows(SCRATCH)
