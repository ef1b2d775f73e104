"""kill -9 at any moment: the next run continues, and each migration has run exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import Marker
from cbctl.clients.postgres.migrations import read_folder
from cbctl.clients.postgres.runner import migrate

done = migrate(Job(
    address=parse(os.environ["TEST_URL"]),
    migrations=read_folder(Path(sys.argv[1])),
    works_with=SchemaRange(0, 99),
    marker=Marker("testing", "local"),
    token=1,
    create_marker=True,
))
print(len(done))
"""


def start(database: Any, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env=os.environ | {"TEST_URL": database.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(database: Any, sql: str) -> None:
    end = time.monotonic() + 20
    with database.connect() as connection:
        while not connection.execute(sql.encode()).fetchone():
            assert time.monotonic() < end, sql
            time.sleep(0.005)


def active(text: str) -> str:
    return (
        "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"
        f" and datname = current_database() and query like '%{text}%'"
    )


def finish(database: Any, folder: Path) -> None:
    last = start(database, folder)
    out, err = last.communicate(timeout=60)
    assert last.returncode == 0, err
    assert out.strip().isdigit()


@pytest.mark.parametrize("at", [1, 5])
def test_killed_inside_a_transaction(database: Any, tmp_path: Path, at: int) -> None:
    (tmp_path / "1_log.up.sql").write_text("create table log (n int);")
    for n in range(2, 8):
        pause = "select pg_sleep(30);" if n == at + 1 else ""
        (tmp_path / f"{n}_t.up.sql").write_text(f"insert into log values ({n}); {pause}")
    first = start(database, tmp_path)
    wait_for(database, active("pg_sleep(30)"))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    path = tmp_path / f"{at + 1}_t.up.sql"
    path.write_text(path.read_text().replace("select pg_sleep(30);", ""))
    finish(database, tmp_path)
    assert database.rows("select n from log order by n") == [(n,) for n in range(2, 8)]
    assert database.rows("select version from schema_migrations order by 1") == [
        (n,) for n in range(1, 8)
    ]
    assert database.rows("select building from cbctl_marker") == [(False,)]


def test_killed_while_an_index_is_built_concurrently(database: Any, tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("create table a (x int); insert into a values (1);")
    (tmp_path / "2_i.up.sql").write_text(
        "-- cbctl: transaction=none\ncreate index concurrently a_x on a (x);"
    )
    with database.connect() as other:
        # An open snapshot: the build waits for it, after the invalid index is there.
        other.execute("begin isolation level repeatable read")
        other.execute("select 1 from pg_class limit 1")
        first = start(database, tmp_path)
        wait_for(database, active("concurrently a_x"))
        wait_for(database, "select 1 from pg_class where relname = 'a_x'")
        first.send_signal(signal.SIGKILL)
        first.communicate()
        other.execute("commit")
    finish(database, tmp_path)
    assert database.rows("select indisvalid from pg_index where indexrelid = 'a_x'::regclass") == [
        (True,)
    ]
    assert database.rows("select count(*) from schema_migrations") == [(2,)]


def test_killed_at_many_moments(one_database: Any, tmp_path: Path) -> None:
    (tmp_path / "01_log.up.sql").write_text("create table log (n int);")
    for n in range(2, 21):
        (tmp_path / f"{n:02d}_t.up.sql").write_text(
            f"insert into log values ({n}); select pg_sleep(0.02);"
        )
    for share in (3, 9, 14):
        run = start(one_database, tmp_path)
        wait_for(
            one_database,
            "select 1 from pg_class where relname = 'schema_migrations' and "
            f"(xpath('/row/c/text()', query_to_xml('select count(*) as c from schema_migrations', "
            f"false, true, '')))[1]::text::int >= {share}",
        )
        run.send_signal(signal.SIGKILL)
        run.communicate()
    finish(one_database, tmp_path)
    assert one_database.rows("select n from log order by n") == [(n,) for n in range(2, 21)]
