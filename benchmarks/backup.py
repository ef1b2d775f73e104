"""A backup and a proved restore beside bare pg_dump and pg_restore, of the same database.

    PYTHONPATH=. python benchmarks/backup.py [MEGABYTES] [ROUNDS]

One Postgres 15 of its own; -j 2 everywhere; in each round the bare program, then ours without and
with checksums. Ours is from the start of the process to its end: for the restore that is also a
new server, hashes of all files, the restore, and rows and schema compared. The bare restore goes
into a server that was started before with the same settings. Memory is the highest sum of PSS of
the process tree, servers apart.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from tests.integration.db.test_commands import _CONFIG
from tests.testbed.postgres import BINARIES, PostgresServer
from timing import CBCTL, pss

from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.local.binaries import Binary
from cbctl.local.scratch import scratch, throwaway_server
from cbctl.local.state import State

JOBS = "2"
# Rows as a service has them: some columns that compress, some that do not, three indexes.
TABLE = """
create table events_{n} (
    id bigint generated always as identity primary key,
    account text not null, kind text not null, amount numeric not null,
    at timestamptz not null, note text
)
"""
ROWS = """
insert into events_{n} (account, kind, amount, at, note)
select encode(sha256(i::text::bytea), 'hex'), (array['in', 'out', 'fee'])[1 + i % 3],
    (i::bigint * 7919 % 1000003) / 100.0, timestamptz '2026-01-01' + i * interval '3 s',
    repeat('what somebody wrote ', 1 + i % 3)
from generate_series(1, {rows}) i
"""
BYTES_A_ROW = 285  # with its indexes


@dataclass
class Measured:
    name: str
    seconds: list[float] = field(default_factory=list)
    peak: float = 0.0

    def row(self, base: float) -> str:
        median = statistics.median(self.seconds)
        return (
            f"{self.name:<38} {median:7.1f} {min(self.seconds):7.1f} {max(self.seconds):7.1f}"
            f" {median / base:6.2f}x {self.peak:6.0f}"
        )


def main(megabytes: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="cbctl-benchmark-") as home:
        folder = Path(home)
        server = PostgresServer(folder, user="owner", password="bench", kind="system")
        server.start()
        try:
            measure(folder, server, megabytes, rounds)
        finally:
            server.stop()


def measure(folder: Path, server: PostgresServer, megabytes: int, rounds: int) -> None:
    server.execute("postgres", "create database shop template template0")
    record_marker(parse(server.url("shop")), Marker("test-house", "dev"))
    fill(server, megabytes)
    (folder / "migrations").mkdir()
    (folder / "schema.json").write_text('{"min": 0, "max": 99}')
    (folder / "cbctl.yaml").write_text(
        _CONFIG.format(protected="false", access="direct", cluster="other").lstrip()
    )
    ours = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CBCTL_STATE_DIR": str(folder / "state"),
        "CBCTL_ENV": "dev",
        "DATABASE_URL": server.url("shop"),
    }
    bare = {**ours, "PGPASSWORD": server.password}
    kept = folder / "state" / "test-house" / "dev" / "database-backups"
    dumps = [Measured(n) for n in ("pg_dump -j 2", "backup, no checksums", "backup, checksums")]
    proofs = [
        Measured(n)
        for n in ("pg_restore -j 2", "verify-backup, no checksums", "verify-backup, checksums")
    ]
    binary = Binary("system", 15, BINARIES["system"] / "postgres")
    for number in range(rounds + 1):  # the first one warms up
        count = number > 0
        words = [str(BINARIES["system"] / "pg_dump"), "-Fd", "-j", JOBS, "-f", str(folder / "d")]
        timed(dumps[0], [*words, server.url("shop").replace(":bench", "")], bare, folder, count)
        other = State.open("bench", "dev", root=folder / "other")
        with scratch(other, "bare") as made, throwaway_server(made, binary) as url:
            address = parse(url)
            words = [str(BINARIES["system"] / "pg_restore"), "-Fd", "-j", JOBS]
            words += ["--exit-on-error", "--no-owner", "-h", address.host, "-U", address.user]
            words += ["-p", str(address.port), "-d", "postgres", str(folder / "d")]
            own = {**bare, "PGPASSWORD": address.password.reveal()}
            timed(proofs[0], words, own, folder, count)
        shutil.rmtree(folder / "d")
        for index, flag in ((1, "--no-checksums"), (2, "--checksums")):
            words = [CBCTL, "db", "backup", "--yes", "--jobs", JOBS, flag]
            timed(dumps[index], words, ours, folder, count)
            words = [CBCTL, "db", "verify-backup", "--jobs", JOBS]
            timed(proofs[index], words, ours, folder, count)
            shutil.rmtree(kept)
    print(f"{'':<38} {'median':>7} {'min':>7} {'max':>7} {'':>7} {'PSS':>6}   (s, MB)")
    for group in (dumps, proofs):
        for one in group:
            print(one.row(statistics.median(group[0].seconds)))


def fill(server: PostgresServer, megabytes: int) -> None:
    rows = megabytes * 1_000_000 // BYTES_A_ROW // 4
    with psycopg.connect(server.url("shop"), autocommit=True) as connection:
        for n in range(4):
            connection.execute(TABLE.format(n=n).encode())
            connection.execute(ROWS.format(n=n, rows=rows).encode())
            connection.execute(f"create index on events_{n} (account)".encode())
            connection.execute(f"create index on events_{n} (at)".encode())
        connection.execute(b"vacuum analyze")
        size = connection.execute("select pg_database_size('shop')").fetchone()
    print(
        f"{(size or [0])[0] / 1e6:.0f} MB, 4 tables, {4 * rows} rows, {os.cpu_count()} processors"
    )


def timed(
    into: Measured, words: Sequence[str], env: Mapping[str, str], folder: Path, count: bool
) -> None:
    began = time.perf_counter()
    with subprocess.Popen(
        words, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        over = threading.Event()
        watcher = threading.Thread(target=watch, args=(process.pid, over, into))
        watcher.start()
        _, said = process.communicate()
        spent = time.perf_counter() - began
        over.set()
        watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"{into.name}: {process.returncode}: {said.decode()[-500:]}")
    if count:
        into.seconds.append(spent)


def watch(pid: int, over: threading.Event, into: Measured) -> None:
    """The tree's memory, twice a second; what ends meanwhile is asked the next time."""
    while not over.wait(0.5):
        try:
            top = psutil.Process(pid)
            tree = [top, *top.children(recursive=True)]
            own = [one.pid for one in tree if one.name() != "postgres"]
            into.peak = max(into.peak, pss(own))
        except (psutil.Error, OSError):
            continue


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [1000, 3][len(given) :]))
