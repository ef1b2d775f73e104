"""Filters on a program's accounts. Limits and messages: agave, rpc-client-types `filter`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from solders.account import Account

from cbctl.localnet.encoding import b58decode, b64decode
from cbctl.localnet.errors import invalid_params
from cbctl.localnet.rpc.params import U64
from cbctl.localnet.tokens import holds_token_account

MAX_FILTERS = 4
MAX_BYTES = 128


class Memcmp(Struct):
    """Bytes that must stand at an offset."""

    offset: U64
    bytes: str | list[int]
    encoding: Literal["base58", "base64", "bytes"] | None = None


class Filter(Struct, rename="camel"):
    """One of the two kinds; the third is a bare word."""

    data_size: U64 | None = None
    memcmp: Memcmp | None = None


AnyFilter = Filter | Literal["tokenAccountState"]


class Matcher:
    """Whether an account passes every filter."""

    def __init__(self, filters: list[AnyFilter]) -> None:
        if len(filters) > MAX_FILTERS:
            raise invalid_params(f"Too many filters provided; max {MAX_FILTERS}")
        self._token_accounts = False
        self._sizes: list[int] = []
        self._bytes: list[tuple[int, bytes]] = []
        for item in filters:
            if not isinstance(item, Filter):
                self._token_accounts = True
            elif item.memcmp is not None:
                self._bytes.append((item.memcmp.offset, _wanted(item.memcmp)))
            elif item.data_size is not None:
                self._sizes.append(item.data_size)
            else:
                raise invalid_params("a filter is {dataSize}, {memcmp} or tokenAccountState")

    def __call__(self, account: Account) -> bool:
        data = account.data
        return (
            all(len(data) == size for size in self._sizes)
            and all(
                offset <= len(data) and data[offset : offset + len(wanted)] == wanted
                for offset, wanted in self._bytes
            )
            and (not self._token_accounts or holds_token_account(data))
        )


def _wanted(memcmp: Memcmp) -> bytes:
    if len(memcmp.bytes) > 2 * MAX_BYTES:
        raise invalid_params("Invalid param: DataTooLarge")
    try:
        if isinstance(memcmp.bytes, list):
            wanted = bytes(memcmp.bytes)
        elif memcmp.encoding == "base64":
            wanted = b64decode(memcmp.bytes)
        else:
            wanted = b58decode(memcmp.bytes)
    except ValueError as error:
        raise invalid_params(f"Invalid param: memcmp: {error}") from None
    if len(wanted) > MAX_BYTES:
        raise invalid_params("Invalid param: DataTooLarge")
    return wanted
