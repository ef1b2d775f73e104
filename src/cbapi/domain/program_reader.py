"""Where the program's configuration comes from: cache, chain, or the last read that was saved."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from cbapi.domain.chain import Account, ChainError
from cbapi.domain.layout import NotThisLayout
from cbapi.domain.program import ProgramView, config_address, decode
from cbapi.errors import ApiError
from cbapi.logs import fields, log

CACHE_SECONDS = 5
SAVE_SECONDS = 5.0


class Chain(Protocol):
    async def account(self, address: str) -> Account | None: ...


class Cache(Protocol):
    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, value: bytes, seconds: int) -> None: ...


class Store(Protocol):
    async def save_program(
        self, program_id: str, slot: int, account: bytes, read_at: datetime
    ) -> None: ...
    async def latest_program(self, program_id: str) -> tuple[int, bytes, datetime] | None: ...


class ProgramReader:
    """One read of the chain at a time: whoever asks meanwhile waits for the same answer."""

    def __init__(self, program_id: str, chain: Chain, cache: Cache, store: Store) -> None:
        self.program_id = program_id
        self.address = config_address(program_id)
        self._chain = chain
        self._cache = cache
        self._store = store
        self._key = f"cbapi:1:program:{program_id}"  # 1: shape of the cached JSON
        self._reading: asyncio.Task[ProgramView] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._closing = False

    async def read(self) -> ProgramView:
        """Raises ApiError with status 503: SYS_CHAIN_UNAVAILABLE, SYS_PROGRAM_NOT_INITIALIZED,
        SYS_PROGRAM_UNREADABLE or SYS_STOPPING."""
        if (cached := await self._cached()) is not None:
            return cached
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._done)
        # Shielded: a client that goes away must not take the answer from the others.
        try:
            return await asyncio.shield(self._reading)
        except asyncio.CancelledError:
            if not self._closing:
                raise
            raise ApiError(503, "SYS_STOPPING", "The service is being stopped.") from None

    async def close(self) -> None:
        """End what is under way; only a save is waited for, so that a shutdown does not lose it."""
        self._closing = True
        if self._reading is not None:
            self._reading.cancel()
        if self._saving is not None:
            await asyncio.wait({self._saving}, timeout=SAVE_SECONDS)

    def _done(self, task: asyncio.Task[ProgramView]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # taken here in case every client has gone

    async def _cached(self) -> ProgramView | None:
        raw = await self._cache.get(self._key)
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw, type=ProgramView)
        except msgspec.MsgspecError as error:
            log.warning("cache_unreadable", extra=fields(key=self._key, message=str(error)))
            return None

    async def _read(self) -> ProgramView:
        try:
            account = await self._chain.account(self.address)
        except ChainError as error:
            log.warning("chain_unavailable", extra=fields(message=str(error)))
            return await self._last_read()
        if account is None:
            raise ApiError(
                503,
                "SYS_PROGRAM_NOT_INITIALIZED",
                "The program has no configuration account yet.",
                details={"programId": self.program_id, "address": self.address},
                headers={"retry-after": "5"},
            )
        if account.owner != self.program_id:
            raise self._unreadable("the account belongs to another program")
        read_at = datetime.now(UTC)
        view = self._view(account.slot, account.data, read_at, stale=False)
        self._save(account.slot, account.data, read_at)
        await self._cache.put(self._key, msgspec.json.encode(view), CACHE_SECONDS)
        return view

    async def _last_read(self) -> ProgramView:
        found = None
        try:
            found = await self._store.latest_program(self.program_id)
        except Exception as error:
            _store_failed("read", error)
        if found is None:
            raise ApiError(
                503,
                "SYS_CHAIN_UNAVAILABLE",
                "The chain cannot be read, and no earlier read is there to serve.",
                headers={"retry-after": "5"},
            )
        slot, data, read_at = found
        return self._view(slot, data, read_at, stale=True)

    def _view(self, slot: int, data: bytes, read_at: datetime, *, stale: bool) -> ProgramView:
        try:
            config = decode(data)
        except NotThisLayout as error:
            raise self._unreadable(str(error)) from None
        stamp = read_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return ProgramView(self.program_id, self.address, str(slot), stamp, stale, config)

    def _unreadable(self, reason: str) -> ApiError:
        log.error("program_unreadable", extra=fields(address=self.address, message=reason))
        return ApiError(
            503,
            "SYS_PROGRAM_UNREADABLE",
            "The program's configuration account is not one that this version understands.",
            details={"address": self.address, "reason": reason},
        )

    def _save(self, slot: int, data: bytes, read_at: datetime) -> None:
        """In the background: a slow database must not slow an answer that does not need it."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_now(slot, data, read_at))

    async def _save_now(self, slot: int, data: bytes, read_at: datetime) -> None:
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                await self._store.save_program(self.program_id, slot, data, read_at)
        except Exception as error:
            _store_failed("save", error)


def _store_failed(action: str, error: Exception) -> None:
    log.warning(
        "store_failed",
        extra=fields(action=action, error=type(error).__name__, message=str(error)),
    )
