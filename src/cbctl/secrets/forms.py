"""The forms in which a secret may turn up in a text: as it is, quoted, encoded, or in part."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cbctl.clients.solana import base58

PART = 8
"""Characters of a key that give too much of it away: whoever quotes it may have cut it."""
SHORTEST = 6
"""Shorter values (a port, "yes") are no secrets, and taking them out would garble every text."""

# Words, numbers and paths: that stands in many texts, also where it is a part of a secret.
_PLAIN = re.compile(r"[A-Za-z]?[a-z_./:, -]*|[A-Z_./:, -]*|[0-9_./:, -]*")
_SEED = 32
"""Bytes of a keypair that are its secret; the rest is its address."""
_WEB = ("http", "https", "ws", "wss")


def whole(value: str) -> Iterator[str]:
    """Forms that are taken out wherever they stand."""
    for key in _keys(value):
        yield from _written(key)
        yield from _encoded(key.encode())
    if numbers := _numbers(value):
        for comma in (",", ", "):
            texts = [str(number) for number in numbers]
            yield f"[{comma.join(texts)}]"
            yield comma.join(texts)
            for at in range(len(texts) - PART + 1):
                yield comma.join(texts[at : at + PART])
        for secret in (bytes(numbers), bytes(numbers[:_SEED])):
            yield from _encoded(secret)
            yield base58.encode(secret)


def parts(value: str) -> Iterator[str]:
    """Pieces of PART characters that nothing but this secret holds."""
    for key in _keys(value, whole=False):
        for form in _written(key):
            for at in range(len(form) - PART + 1):
                piece = form[at : at + PART]
                if not _PLAIN.fullmatch(piece):
                    yield piece


def _keys(value: str, whole: bool = True) -> set[str]:
    """What of a value is secret. whole: also an address as such, of which most parts are not"""
    value = value.strip()
    if "://" not in value:
        return {value} if len(value) >= SHORTEST else set()
    try:
        address = urlsplit(value)
        password = address.password or ""
        found = {password, unquote(password)}
        if address.scheme in _WEB:
            inside = [*address.path.split("/"), *(v for _, v in parse_qsl(address.query))]
            found |= {i for i in inside if not _PLAIN.fullmatch(i)}
        # an address without anything that could be a key is no secret
        bare = not (address.username or password or address.query or address.path.strip("/"))
    except ValueError:
        found, bare = set(), False
    if whole and not bare:
        found.add(value)
    return {key for key in found if len(key) >= SHORTEST}


def _written(key: str) -> set[str]:
    return {
        *(key, quote(key, safe=""), repr(key)[1:-1], ascii(key)[1:-1]),
        *(json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]),
    }


def _encoded(key: bytes) -> Iterator[str]:
    """As hex and base64, the latter wherever it begins in a longer text."""
    yield key.hex()
    yield key.hex().upper()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + key).decode()
        # the ends depend on what stands beside it
        sure = text[4 if before else 0 : len(text) - 4]
        if len(sure) >= PART:
            yield sure
            yield sure.replace("+", "-").replace("/", "_")


def _numbers(value: str) -> list[int]:
    """Of a keypair as the Solana CLI writes it; none where it is something else."""
    if not value.startswith("["):
        return []
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return []
    good = isinstance(found, list) and all(type(n) is int and 0 <= n < 256 for n in found)
    return found if good else []
