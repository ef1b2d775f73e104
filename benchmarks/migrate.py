"""Migrations beside golang-migrate, goose and alembic: many from empty, and nothing to do.

    PYTHONPATH=.:benchmarks python benchmarks/migrate.py PEERS [COUNT] [ROUNDS]

PEERS is a folder that holds the peers' programs:

    GOBIN=PEERS go install -tags postgres github.com/golang-migrate/migrate/v4/cmd/migrate@latest
    GOBIN=PEERS go install github.com/pressly/goose/v3/cmd/goose@latest
    python -m venv PLACE; PLACE/bin/pip install alembic 'psycopg[binary]'
    ln -s PLACE/bin/alembic PEERS/alembic

One Postgres of its own for all, without fsync: all of them commit once a migration, and a disk's
pace would only hide the rest. In each round every program gets an empty database and the same
statements in its own format, runs again three times with nothing to do, and once more from empty
over a line on which each way to the server takes a millisecond, as between two machines. Ours is
`cbctl db migrate`: configuration, lock, plan, journal and a look at what came of it. "Imported" is
the same command in a process that has everything imported already; "engine" the work itself in
such a process: the runner alone, and the step that finds nothing to do (files read, database
asked, compared).

Beside the times (process start to exit) stands the processor time of the program itself, which
other work on the machine changes less.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from slow_line import SlowLine
from tests.integration.db.test_commands import House
from tests.testbed.context import FakeContext
from tests.testbed.forked import Forked
from tests.testbed.postgres import PostgresServer
from timing import CBCTL, HEADER, Subject

from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import ping
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.clients.postgres.migrations import read_folder
from cbctl.clients.postgres.runner import migrate
from cbctl.config.types import Reference
from cbctl.engine.step import Nothing
from cbctl.steps.db.migrate import STEP, Inputs

WAY = 0.001
"""s on the slow line"""
_ALEMBIC = """
import os

from alembic import context
from sqlalchemy import create_engine

engine = create_engine(os.environ["BENCHMARK_URL"])
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_REVISION = """
from alembic import op

revision = "{n:04d}"
down_revision = {before}


def upgrade():
    op.execute({up!r})


def downgrade():
    op.execute({down!r})
"""


def statements(n: int) -> tuple[str, str]:
    """Up and down of migration `n`: of three, one makes a table, one changes it, one fills it."""
    table = f"things_{(n - 1) // 3}"
    match n % 3:
        case 1:
            up = f"CREATE TABLE {table} (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz)"
            return f"{up};\nCREATE INDEX {table}_name ON {table} (name);", f"DROP TABLE {table};"
        case 2:
            return (
                f"ALTER TABLE {table} ADD COLUMN note text DEFAULT 'none';\n"
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_note CHECK (note <> '');",
                f"ALTER TABLE {table} DROP COLUMN note;",
            )
    rows = f"INSERT INTO {table} SELECT i, 'name ' || i, now() FROM generate_series(1, 20) i;"
    return rows, f"DELETE FROM {table};"


def write(folder: Path, count: int, forked: Forked) -> None:
    """The migrations, in everybody's format."""
    for name in ("migrations", "goose", "alembic/versions"):
        (folder / name).mkdir(parents=True)
    for n in range(1, count + 1):
        up, down = statements(n)
        name = f"{n:04d}_change"
        (folder / "migrations" / f"{name}.up.sql").write_text(up + "\n")
        (folder / "migrations" / f"{name}.down.sql").write_text(down + "\n")
        text = f"-- +goose Up\n{up}\n\n-- +goose Down\n{down}\n"
        (folder / "goose" / f"{name}.sql").write_text(text)
        before = repr(f"{n - 1:04d}") if n > 1 else "None"
        text = _REVISION.format(n=n, before=before, up=up, down=down)
        (folder / "alembic" / "versions" / f"{name}.py").write_text(text.lstrip())
    (folder / "alembic" / "env.py").write_text(_ALEMBIC.lstrip())
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}/alembic\n")
    (folder / "schema.json").write_text('{"min": 0, "max": 9999}')
    House(folder, forked, None).configure()


@dataclass
class Timed(Subject):
    """forked: runs it instead, in a process that has it imported; cpu: ms of each counted round"""

    forked: Forked | None = None
    cpu: list[float] = field(default_factory=list)

    def run(self, folder: Path, count: bool) -> None:
        before = _processor()
        if self.forked:
            done = self.forked.run(self.argv, cwd=folder, env=self.environ, limit=600)
            assert done.exit == 0, done
            spent = done.seconds * 1000
        else:
            spent = self.once(folder)
        self.note(spent, _processor() - before if not self.forked else None, count)

    def note(self, spent: float, cpu: float | None, count: bool) -> None:
        if count:
            self.times.append(spent)
            self.cpu += [] if cpu is None else [cpu]

    def row(self, base: float | None = None) -> str:
        cpu = f"{statistics.median(self.cpu):8.0f}" if self.cpu else " " * 8
        return f"{super().row(base)} {cpu}"


def _processor() -> float:
    """Milliseconds of all processes of ours that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def main(peers: Path, count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="cbctl-benchmark-") as home:
        folder = Path(home)
        server = PostgresServer(folder, user="owner", password="bench")
        server.start()
        line, forked = SlowLine(server.port, WAY), Forked()
        try:
            measure(folder, server, line, forked, peers, count, rounds)
        finally:
            forked.close()
            line.close()
            server.stop()


def programs(folder: Path, peers: Path, url: str, forked: Forked) -> list[Timed]:
    plain = f"{url}?sslmode=disable"
    driver = {"BENCHMARK_URL": url.replace("postgresql:", "postgresql+psycopg:")}
    ours = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CBCTL_STATE_DIR": str(folder / "state"),
        "CBCTL_ENV": "dev",
        "DATABASE_URL": url,
    }
    words = ["db", "migrate", "--yes"]
    migrate = [str(peers / "migrate"), "-path", str(folder / "migrations"), "-database", plain]
    goose = [str(peers / "goose"), "-dir", str(folder / "goose"), "postgres", plain]
    return [
        Timed("cbctl db migrate", [CBCTL, *words], ours),
        Timed("cbctl db migrate, imported", words, ours, forked=forked),
        Timed("golang-migrate", [*migrate, "up"]),
        Timed("goose", [*goose, "up"]),
        Timed("alembic", [str(peers / "alembic"), "upgrade", "head"], driver),
    ]


def measure(
    folder: Path,
    server: PostgresServer,
    line: SlowLine,
    forked: Forked,
    peers: Path,
    count: int,
    rounds: int,
) -> None:
    write(folder, count, forked)
    near = server.url("bench")
    far = near.replace(f":{server.port}/", f":{line.port}/")
    full, idle, slow = (programs(folder, peers, url, forked) for url in (near, near, far))
    for group in (full, idle, slow):
        group.append(Timed("cbctl, engine", []))
    for number in range(rounds + 1):  # the first one warms up
        for empty, nothing, distant in zip(full[:-1], idle[:-1], slow[:-1], strict=True):
            for url_of, more in ((distant, 0), (empty, 3)):
                renew(server)
                url_of.run(folder, number > 0)
                check(server, count)
                for _ in range(more):
                    nothing.run(folder, number > 0)
        for url, built, more in ((far, slow[-1], 0), (near, full[-1], 3)):
            renew(server)
            built.note(*build(folder, url), number > 0)
            for _ in range(more):
                idle[-1].note(*look(folder, url), number > 0)
    version, load = ping(parse(near)), os.getloadavg()[0]
    print(f"{count} migrations, {rounds} rounds, Postgres {version}, load {load:.1f}")
    for title, group in (
        ("from empty", full),
        ("nothing to do", idle),
        (f"from empty, {WAY * 1000:g} ms each way", slow),
    ):
        print(f"\n{title}\n{HEADER}, then its processor time")
        peer = min(one.median for one in group if not one.name.startswith("cbctl"))
        for one in group:
            print(one.row(peer))


def renew(server: PostgresServer) -> None:
    server.execute(
        "postgres",
        "drop database if exists bench with (force)",
        "create database bench template template0",
        "checkpoint",
    )
    record_marker(parse(server.url("bench")), Marker("test-house", "dev"))


def build(folder: Path, url: str) -> tuple[float, float]:
    """Milliseconds of the runner from empty, and of the processor."""
    migrations = read_folder(folder / "migrations")
    job = Job(parse(url), migrations, SchemaRange(0, 9999), Marker("test-house", "dev"), token=1)
    began, used = time.perf_counter(), time.process_time()
    migrate(job)
    return (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000


def look(folder: Path, url: str) -> tuple[float, float]:
    """The same of the step that finds that nothing is to do."""
    where = Reference(kind="env", name="DATABASE_URL")
    inputs = Inputs(where, folder / "migrations", "test-house", "dev", database_step="")
    context = FakeContext({"DATABASE_URL": url})
    began, used = time.perf_counter(), time.process_time()
    found = STEP.plan(inputs, STEP.observe(context, inputs).facts)
    spent = (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000
    assert isinstance(found, Nothing), found
    return spent


def check(server: PostgresServer, count: int) -> None:
    """That all of them ran, whoever ran them."""
    with server.connect("bench") as connection:
        tables = "select count(*) from pg_class where relname ~ '^things_[0-9]+$'"
        made = connection.execute(tables.encode()).fetchone()
        rows = connection.execute(b"select count(*) from things_0 where note = 'none'").fetchone()
    assert (made, rows) == (((count + 2) // 3,), (20,)), (made, rows)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[2:]]
    main(Path(sys.argv[1]).resolve(), *(given + [300, 7][len(given) :]))
