"""The pool: 2 to 20 connections, 30 s idle, 2 s to connect, 30 s per statement."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cbapi.domain import schema
from cbapi.domain.readiness import CheckFailed
from cbapi.storage.queries import query
from cbapi.urls import PostgresUrl, ca_bundle

MAX_CONNECTIONS = 20
RDS = ".rds.amazonaws.com"
RDS_BUNDLE = "/etc/ssl/rds.pem"
"""In the service's image"""
CONNECT_SECONDS = 2

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


class _Connection(AsyncConnection[DictRow]):
    """Its failed logins say what to do, since the pool's log line is all that an operator sees."""

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        try:
            return await super().connect(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            if not re.search(r'authentication method requirement "[^"]*" failed', str(error)):
                raise
            raise psycopg.OperationalError(
                f"{error}; no password was sent. If this is the right server, let it use SCRAM, "
                "or say in DATABASE_URL what it may ask for, such as ?require_auth=md5"
            ) from None


class Postgres:
    """Never raises on `open`: a database that is down is `/ready`'s to tell, not a crash."""

    def __init__(self, url: PostgresUrl) -> None:
        self._pool: Pool = AsyncConnectionPool(
            conninfo(url),
            connection_class=_Connection,
            kwargs={"autocommit": True, "row_factory": dict_row},
            min_size=2,
            max_size=MAX_CONNECTIONS,
            max_idle=30.0,
            timeout=CONNECT_SECONDS,
            # Connections that a restart of the server broke are found here, not by a request.
            check=AsyncConnectionPool.check_connection,
            # Longer, and the pool's exponential pause delays the recovery after an outage: a
            # pool that gave up connects again as soon as somebody asks.
            reconnect_timeout=2.0,
            open=False,
            name="cbapi",
        )

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2.0)

    def stats(self) -> dict[str, int]:
        return dict(self._pool.get_stats())

    async def check(self) -> dict[str, Any]:
        try:
            row = await self._one("schema_version")
        except psycopg.errors.UndefinedTable:
            raise CheckFailed("no migration has been applied") from None
        except psycopg.errors.InsufficientPrivilege:
            raise CheckFailed("the role may not read schema_migrations") from None
        except PoolTimeout:
            # The pool's own log lines say why: refused, wrong password, all in use.
            raise CheckFailed(f"no connection within {CONNECT_SECONDS} s") from None
        version: int | None = row["version"] if row else None
        schema.require(version, row["newest_post"] if row else None)
        return {"schema": version, "min": schema.RANGE.min, "max": schema.RANGE.max}

    async def save_program(
        self, program_id: str, slot: int, account: bytes, read_at: datetime
    ) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                query("save_program_config"),
                {"program_id": program_id, "slot": slot, "account": account, "read_at": read_at},
            )

    async def latest_program(self, program_id: str) -> tuple[int, bytes, datetime] | None:
        """(slot, account data, when it was read) of the last read that was saved."""
        row = await self._one("latest_program_config", {"program_id": program_id})
        return (row["slot"], row["account"], row["read_at"]) if row else None

    async def _one(self, name: str, values: dict[str, object] | None = None) -> DictRow | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query(name), values)
            return await cursor.fetchone()


def _authorities(url: PostgresUrl) -> str:
    """RDS' certificates are of authorities of its own, which no bundle of the web's has."""
    return (
        RDS_BUNDLE
        if url.host.lower().rstrip(".").endswith(RDS) and not url.ca
        else ca_bundle(url.ca)
    )


def conninfo(url: PostgresUrl) -> str:
    """libpq's parameters, all that matter given, so that PG… variables change nothing."""
    # A server without a verified certificate may be whoever took the port while the real one was
    # down: libpq must not hand it the password in clear, as it would to a server that asks so.
    doubtful = bool(url.password) and not url.tls
    required = url.require_auth or ("scram-sha-256" if doubtful else "")
    tls = {"sslmode": "verify-full", "sslrootcert": _authorities(url)} if url.tls else {}
    return make_conninfo(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password,
        dbname=url.database,
        connect_timeout=CONNECT_SECONDS,
        application_name="cbapi",
        options="-c statement_timeout=30s",
        # A server that vanished without a word is noticed in seconds instead of minutes.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=10_000,
        gssencmode="disable",
        **({"require_auth": required} if required else {}),
        **({"sslmode": "disable"} | tls),
    )
