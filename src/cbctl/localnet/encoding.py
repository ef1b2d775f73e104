"""Base58 and the encodings of account data.

Account encodings: https://solana.com/docs/rpc/json-structures#accounts ; limits from agave,
account-decoder/src/lib.rs (`MAX_BASE58_BYTES`).
"""

from __future__ import annotations

import base64
import binascii

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {char: value for value, char in enumerate(ALPHABET)}

# Ten digits at a time keeps the big-integer work linear enough for a 4 KB transaction.
_GROUP = 10
_GROUP_BASE = 58**_GROUP

MAX_BASE58_BYTES = 128


def b58encode(data: bytes) -> str:
    """Bitcoin's base58; leading zero bytes become leading ones."""
    number = int.from_bytes(data, "big")
    groups: list[str] = []
    while number:
        number, rest = divmod(number, _GROUP_BASE)
        digits = []
        for _ in range(_GROUP):
            rest, digit = divmod(rest, 58)
            digits.append(ALPHABET[digit])
        groups.append("".join(reversed(digits)))
    text = "".join(reversed(groups)).lstrip("1")
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def b58decode(text: str) -> bytes:
    """Inverse of `b58encode`; ValueError on a character outside the alphabet."""
    number = 0
    for start in range(0, len(text), _GROUP):
        group = text[start : start + _GROUP]
        value = 0
        for char in group:
            digit = _VALUE.get(char)
            if digit is None:
                raise ValueError(f"invalid base58 character {char!r}")
            value = value * 58 + digit
        number = number * 58 ** len(group) + value
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def b64encode(data: bytes) -> str:
    """Standard base64 as text."""
    return base64.b64encode(data).decode("ascii")


def b64decode(text: str) -> bytes:
    """Strict standard base64; ValueError otherwise."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"invalid base64: {error}") from None


def account_data(data: bytes, encoding: str) -> object:
    """The `data` member of an account: a bare string for "binary", else [text, encoding].

    "jsonParsed" answers base64, which is what the RPC documents when no parser is known.
    """
    if encoding in ("base64", "jsonParsed"):
        return [b64encode(data), "base64"]
    if encoding == "base64+zstd":
        return [b64encode(_zstd(data)), encoding]
    text = b58encode(data)
    return text if encoding == "binary" else [text, "base58"]


def _zstd(data: bytes) -> bytes:
    import zstandard  # few ask for it, and everybody would wait for it

    return zstandard.compress(data)
