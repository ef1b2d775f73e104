"""What the routes work with: one object per process, opened before the first request."""

from __future__ import annotations

import asyncio
from time import monotonic

from cbapi.domain.program_reader import ProgramReader
from cbapi.domain.readiness import Check, CheckResult, check_all
from cbapi.logs import fields, log
from cbapi.metrics import Metrics
from cbapi.settings import Settings
from cbapi.storage.cache import Cache
from cbapi.storage.chain import Chain
from cbapi.storage.postgres import Postgres
from cbapi.urls import is_loopback


class Services:
    """`draining` is set at SIGTERM; `in_flight` is kept by the middleware."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = monotonic()
        self.draining = False
        self.in_flight = 0
        self.metrics = Metrics(settings.version)
        self.postgres = Postgres(settings.database)
        self.cache = Cache(settings.redis)
        self.chain = Chain(settings.rpc)
        self.program = ProgramReader(settings.program_id, self.chain, self.cache, self.postgres)
        self._checking: asyncio.Task[tuple[CheckResult, ...]] | None = None
        self._checks: dict[str, Check] = {
            "database": self.postgres.check,
            "redis": self.cache.check,
            "solana_rpc": self.chain.check,
        }

    async def open(self) -> None:
        for name, url in (("database", self.settings.database), ("redis", self.settings.redis)):
            if not url.tls and not is_loopback(url.host):
                log.warning("not_encrypted", extra=fields(service=name, host=url.host))
        await self.postgres.open()

    async def close(self) -> None:
        await self.program.close()
        await asyncio.gather(self.cache.close(), self.chain.close(), self.postgres.close())

    async def check(self) -> tuple[CheckResult, ...]:
        """All checks at once; the gauges of /metrics follow.

        Whoever asks while they run gets the same results: these addresses are open to everybody,
        and each check costs a call to a system behind.
        """
        if self._checking is None:
            self._checking = asyncio.create_task(self._check())
            self._checking.add_done_callback(self._checked)
        return await asyncio.shield(self._checking)

    def _checked(self, _: asyncio.Task[tuple[CheckResult, ...]]) -> None:
        self._checking = None

    async def _check(self) -> tuple[CheckResult, ...]:
        results = await check_all(self._checks)
        for result in results:
            self.metrics.up(result.service, result.healthy)
        return results
