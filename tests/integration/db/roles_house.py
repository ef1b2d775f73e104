"""A database with two roles beside its owner, which `db.roles` makes."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from tests.testbed.context import FakeContext
from tests.testbed.postgres import PostgresServer

from cbctl.config.types import Reference
from cbctl.engine.step import Changes, Verified
from cbctl.steps.db import migrate
from cbctl.steps.db.roles import STEP, Inputs, Outcome

OWNER_URL, APP_URL, READONLY_URL = (
    Reference(kind="state", name=name) for name in ("database-url", "app-url", "readonly-url")
)


class RolesHouse:
    """Its owner is nobody special, and there are URLs for two roles that are not there yet.

    folder  of its migrations"""

    def __init__(self, server: PostgresServer, name: str, folder: Path) -> None:
        self.server, self.name, self.folder = server, name, folder
        self.owner, self.app, self.readonly = (f"{name}_{w}" for w in ("owner", "app", "Reader x"))
        self.passwords = {
            role: f"canary-{secrets.token_hex(8)}/%é" for role in (self.app, self.readonly)
        }
        server.execute(
            "postgres",
            f"create role {self.owner} login password '{server.password}'",
            f"alter database {name} owner to {self.owner}",
        )
        self.context = FakeContext(
            {
                "database-url": self.url(self.owner, server.password),
                "admin-url": server.url("postgres"),
                "app-url": self.url(self.app),
                "readonly-url": self.url(self.readonly),
            }
        )
        self.inputs = Inputs(
            url=OWNER_URL,
            platform="testing",
            environment="local",
            admin=Reference(kind="state", name="admin-url"),
            app=APP_URL,
            app_may=("select", "insert", "update"),
            readonly=READONLY_URL,
        )

    def url(self, role: str, password: str | None = None) -> str:
        word = quote(password or self.passwords[role], safe="")
        return f"postgresql://{quote(role)}:{word}@127.0.0.1:{self.server.port}/{self.name}"

    def migrate(self, *scripts: str) -> None:
        for script in scripts:
            number = len(list(self.folder.iterdir())) + 1
            (self.folder / f"{number:04d}_a.up.sql").write_text(script)
        given = migrate.Inputs(
            OWNER_URL, self.folder, "testing", "local", phase="all", create_marker=True
        )
        due = migrate.STEP.plan(given, migrate.STEP.observe(self.context, given).facts)
        assert isinstance(due, Changes), due
        migrate.STEP.apply(self.context, given, due.changes, None)

    def planned(self, inputs: Inputs | None = None) -> Any:
        inputs = inputs or self.inputs
        return STEP.plan(inputs, STEP.observe(self.context, inputs).facts)

    def put_right(self) -> Outcome:
        """Done, and found so."""
        verdict = self.planned()
        assert isinstance(verdict, Changes), verdict
        intent = STEP.identify(self.context, self.inputs, verdict.changes)
        done = STEP.apply(self.context, self.inputs, verdict.changes, intent)
        assert STEP.verify(self.context, self.inputs) == Verified(
            {"roles": "the roles are as they should be"}
        )
        return done

    def as_(self, role: str, *statements: str) -> list[Any]:
        url = self.context.secrets["app-url" if role == self.app else "readonly-url"]
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def refused(self, role: str, *statements: str) -> None:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                self.as_(role, statement)
