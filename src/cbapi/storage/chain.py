"""The two JSON-RPC calls that cbapi makes, on httpcore.

Not solana-py's client: it costs 8 MB and a third of a second more at start for these two calls.
No message here ever holds the URL's path, where providers put the key.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from typing import Any, TypeVar

import httpcore
import msgspec

from cbapi.domain.chain import Account, ChainError
from cbapi.domain.readiness import CheckFailed
from cbapi.urls import RpcUrl, ca_bundle

T = TypeVar("T")

CALL_SECONDS = 2.0
MAX_ANSWER = 1 << 20


class _RpcError(msgspec.Struct):
    code: int
    message: str = ""


class _Answer(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _RpcError | None = None


class _Context(msgspec.Struct):
    slot: int


class _AccountInfo(msgspec.Struct):
    owner: str
    data: tuple[str, str]


class _AccountResult(msgspec.Struct):
    context: _Context
    value: _AccountInfo | None


class Chain:
    def __init__(self, url: RpcUrl) -> None:
        self._url = httpcore.URL(
            scheme="https" if url.tls else "http",
            host=url.host.encode(),
            port=url.port,
            target=url.target.encode(),
        )
        context = ssl.create_default_context(cafile=ca_bundle("")) if url.tls else None
        self._http = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=20, keepalive_expiry=30.0
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def check(self) -> dict[str, Any]:
        """getHealth: an RPC node that is behind the cluster says so with an error."""
        try:
            await self._call("getHealth", [], str)
        except ChainError as error:
            raise CheckFailed(str(error)) from None
        return {}

    async def account(self, address: str) -> Account | None:
        """The account at commitment `confirmed`, None when there is none. Raises ChainError."""
        options = {"encoding": "base64", "commitment": "confirmed"}
        found = await self._call("getAccountInfo", [address, options], _AccountResult)
        if found.value is None:
            return None
        try:
            data = b64decode(found.value.data[0], validate=True)
        except ValueError:
            raise ChainError("the RPC's answer is not understood") from None
        return Account(found.context.slot, found.value.owner, data)

    async def _call(self, method: str, params: list[Any], kind: type[T]) -> T:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, raw = await self._post(body)
        except TimeoutError:
            raise ChainError(f"the RPC gave no answer within {CALL_SECONDS:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ssl.SSLError) as error:
            cause = type(error).__name__
            raise ChainError(f"the RPC is not reachable ({cause})") from None
        try:
            answer = msgspec.json.decode(raw, type=_Answer)
            if answer.error:
                raise ChainError(f"the RPC answers with error {answer.error.code}")
            if status != 200:
                raise ChainError(f"the RPC answers with status {status}")
            return msgspec.json.decode(answer.result, type=kind)
        except msgspec.MsgspecError:
            why = "is not understood" if status == 200 else f"has status {status}"
            raise ChainError(f"the RPC's answer {why}") from None

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        host = self._url.host.decode()
        port = self._url.port
        headers["host"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        async with self._http.stream(
            "POST", self._url, headers=list(headers.items()), content=body
        ) as response:
            raw = bytearray()
            async for chunk in response.aiter_stream():
                raw += chunk
                if len(raw) > MAX_ANSWER:
                    raise ChainError("the RPC's answer is too long")
            return response.status, bytes(raw)
