"""Base58 and account data."""

from __future__ import annotations

import base64

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from cbctl.localnet.encoding import account_data, b58decode, b58encode, b64decode


@given(st.binary(max_size=300))
def test_base58_comes_back(data: bytes) -> None:
    assert b58decode(b58encode(data)) == data


@given(st.binary(min_size=32, max_size=32))
def test_base58_is_the_one_that_addresses_are_written_in(data: bytes) -> None:
    assert b58encode(data) == str(Pubkey.from_bytes(data))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0\0", "11"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_known_base58(data: bytes, text: str) -> None:
    assert b58encode(data) == text
    assert b58decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 2", "é"])
def test_other_characters_are_no_base58(text: str) -> None:
    with pytest.raises(ValueError, match="base58"):
        b58decode(text)


@pytest.mark.parametrize("text", ["A", "AA=A", "AA A", "é", "AAAA\n"])
def test_base64_is_strict(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64decode(text)


@given(st.binary(max_size=3_000))
def test_compressed_account_data_comes_back(data: bytes) -> None:
    shown = account_data(data, "base64+zstd")
    assert isinstance(shown, list)
    text, encoding = shown
    assert encoding == "base64+zstd"
    assert zstandard.decompress(base64.b64decode(text), 4_000) == data


def test_account_data_names_its_encoding_except_the_oldest() -> None:
    data = b"\x02\0\0\0"
    assert account_data(data, "base64") == [base64.b64encode(data).decode(), "base64"]
    assert account_data(data, "jsonParsed") == [base64.b64encode(data).decode(), "base64"]
    assert account_data(data, "base58") == [b58encode(data), "base58"]
    assert account_data(data, "binary") == b58encode(data)
