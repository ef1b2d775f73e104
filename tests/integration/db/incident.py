"""A database in trouble: its owner is nobody special, and others' sessions are in the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import psycopg
from tests.integration.db.test_commands import House
from tests.testbed.waiting import wait_for

from cbctl.clients.postgres.address import parse
from cbctl.clients.postgres.ledger import Marker, record_marker
from cbctl.config.types import Secret


class Incident(House):
    """has_admin: whether database.admin names the superuser"""

    has_admin = False

    def set_up(self) -> None:
        (self.folder / "migrations").mkdir()
        (self.folder / "schema.json").write_text('{"min": 0, "max": 99}')
        self.configure()
        server, name = self.database.server, self.database.name
        self.owner, self.app = f"{name}_owner", f"{name}_app"
        server.execute(
            "postgres",
            f"create role {self.owner} login password '{server.password}'",
            f"create role {self.app} login password '{server.password}'",
            f"alter database {name} owner to {self.owner}",
        )
        record_marker(parse(Secret(self.url(self.owner)), where="url"), Marker("test-house", "dev"))
        self.as_owner("create table shop (id int)", f"grant all on shop to {self.app}")
        self.write(m1_at__up="alter table shop add column at timestamptz;")

    def url(self, role: str) -> str:
        server = self.database.server
        password = quote(server.password, safe="")
        return f"postgresql://{role}:{password}@127.0.0.1:{server.port}/{self.database.name}"

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "DATABASE_URL": self.url(self.owner),
            "ADMIN_URL": self.database.server.url("postgres"),
            "APP_URL": self.url(self.app),
        }

    def configure(self, *, protected: bool = False, access: str = "direct") -> None:
        super().configure(protected=protected, access=access)
        file = self.folder / "cbctl.yaml"
        more = "roles: { app: '${env:APP_URL}' }"
        if self.has_admin:
            more += ", admin: '${env:ADMIN_URL}'"
        url = 'url: "${env:DATABASE_URL}"'
        file.write_text(file.read_text().replace(url, f"{url}, {more}"))

    def as_owner(self, *statements: str) -> None:
        with psycopg.connect(self.url(self.owner), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def grant(self, *roles: str) -> None:
        for role in roles:
            self.database.server.execute("postgres", f"grant {role} to {self.owner}")

    @contextmanager
    def holding(self, role: str = "") -> Iterator[psycopg.Connection[Any]]:
        """A session of the service that has a lock on the table, and forgot it."""
        with psycopg.connect(self.url(role or self.app), application_name="pool") as connection:
            connection.execute("select from shop")
            yield connection
            with suppress(psycopg.Error):
                connection.rollback()

    @contextmanager
    def waiting(self) -> Iterator[int]:
        """The pid of one that wants the table for itself."""
        with psycopg.connect(self.url(self.owner), application_name="waits") as connection:

            def want() -> None:
                with suppress(psycopg.Error):
                    connection.execute("lock table shop in access exclusive mode")
                    connection.rollback()

            thread = threading.Thread(target=want)
            thread.start()
            pid = connection.info.backend_pid
            wait_for(lambda: self.is_blocked(pid), 30, "it to wait")
            yield pid
            thread.join(60)

    def is_blocked(self, pid: int) -> bool:
        return bool(self.database.rows(f"select where cardinality(pg_blocking_pids({pid})) > 0"))

    def lives(self, pid: int) -> bool:
        return bool(self.database.rows(f"select from pg_stat_activity where pid = {pid}"))

    @contextmanager
    def migrating(self) -> Iterator[subprocess.Popen[str]]:
        """`cbctl db migrate`, which waits for somebody."""
        command = [sys.executable, "-P", "-m", "cbctl", "db", "migrate", "--yes"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                wait_for(self._migration_waits, 60, "the migration to wait")
                yield process
            finally:
                process.kill()

    def _migration_waits(self) -> bool:
        return bool(
            self.database.rows(
                "select from pg_stat_activity where application_name = 'cbctl migration'"
                " and cardinality(pg_blocking_pids(pid)) > 0 and datname = current_database()"
            )
        )
