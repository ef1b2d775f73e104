"""Filters on a program's accounts."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.encoding import b58encode
from cbctl.localnet.errors import RpcError
from cbctl.localnet.rpc.filters import AnyFilter, Matcher

DATA = bytes(range(1, 166))


def _matches(data: bytes, *filters: Any) -> bool:
    matcher = Matcher(msgspec.convert(list(filters), list[AnyFilter]))
    return matcher(Account(1, data, Pubkey.default()))


def _memcmp(offset: int, wanted: object, **encoding: str) -> dict[str, object]:
    return {"memcmp": {"offset": offset, "bytes": wanted, **encoding}}


@pytest.mark.parametrize(
    "same",
    [
        _memcmp(1, b58encode(b"\2\3")),
        _memcmp(1, b58encode(b"\2\3"), encoding="base58"),
        _memcmp(1, base64.b64encode(b"\2\3").decode(), encoding="base64"),
        _memcmp(1, [2, 3]),
        _memcmp(1, [2, 3], encoding="bytes"),
    ],
)
def test_bytes_in_every_spelling(same: dict[str, object]) -> None:
    assert _matches(DATA, same)
    assert not _matches(DATA[1:], same)


def test_every_filter_must_fit() -> None:
    assert _matches(DATA)
    assert _matches(DATA, {"dataSize": 165}, _memcmp(0, [1]))
    assert not _matches(DATA, {"dataSize": 164}, _memcmp(0, [1]))
    assert not _matches(DATA, {"dataSize": 165}, _memcmp(0, [2]))
    assert _matches(DATA, "tokenAccountState")
    assert not _matches(DATA[:-1], "tokenAccountState")


@given(st.binary(max_size=40), st.integers(0, 60), st.binary(max_size=10))
def test_what_lies_behind_the_data_never_fits(data: bytes, offset: int, wanted: bytes) -> None:
    expected = offset <= len(data) and data[offset:].startswith(wanted)
    assert _matches(data, _memcmp(offset, list(wanted))) is expected


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([{"dataSize": 1}] * 5, "Too many filters provided; max 4"),
        ([_memcmp(0, list(bytes(129)))], "Invalid param: DataTooLarge"),
        ([_memcmp(0, "1" * 129)], "Invalid param: DataTooLarge"),
        ([_memcmp(0, "1" * 100_000)], "Invalid param: DataTooLarge"),
        ([_memcmp(0, "0")], "Invalid param: memcmp"),
        ([_memcmp(0, "=", encoding="base64")], "Invalid param: memcmp"),
        ([_memcmp(0, [256])], "Invalid param: memcmp"),
        ([{}], "a filter is"),
    ],
)
def test_filters_that_are_none(filters: list[Any], message: str) -> None:
    with pytest.raises(RpcError, match=message):
        _matches(DATA, *filters)
