"""Redis as a cache: what fails here is logged and never fails a request."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from cbapi.domain.readiness import CheckFailed
from cbapi.logs import fields, log
from cbapi.urls import RedisUrl, ca_bundle

ANSWER_SECONDS = 0.5
"""Longer is not worth waiting for: the source itself answers in that time."""

_FAILURES = (RedisError, OSError, TimeoutError)


class Cache:
    def __init__(self, url: RedisUrl) -> None:
        options: dict[str, Any] = {"unix_socket_path": url.socket} if url.socket else {}
        if url.tls:
            options = {
                "ssl": True,
                "ssl_cert_reqs": "required",
                "ssl_check_hostname": True,
                "ssl_ca_certs": ca_bundle(url.ca),
            }
        self._redis = Redis(
            host=url.host,
            port=url.port,
            db=url.number,
            username=url.user or None,
            password=url.password or None,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            max_connections=50,
            client_name="cbapi",
            retry=Retry(NoBackoff(), 0),
            **options,
        )

    async def close(self) -> None:
        await self._redis.aclose()

    async def check(self) -> dict[str, Any]:
        try:
            await self._redis.ping()
        except (AuthenticationError, NoPermissionError):
            raise CheckFailed("the user or password is not accepted") from None
        except TimeoutError:
            raise CheckFailed(f"no answer within {ANSWER_SECONDS:g} s") from None
        return {}

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._redis.get(key)
        except _FAILURES as error:
            _failed("get", key, error)
            return None
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, seconds: int) -> None:
        try:
            await self._redis.set(key, value, ex=seconds)
        except _FAILURES as error:
            _failed("put", key, error)


def _failed(action: str, key: str, error: BaseException) -> None:
    log.warning(
        "cache_failed",
        extra=fields(action=action, key=key, error=type(error).__name__, message=str(error)),
    )
