"""Secrets that are looked for: in every form in which one may turn up, whole or in part.

A canary begins with a tag that nothing else holds, so that one quick look tells whether there is
anything to be found in a large file or in a process. Each seed has its own, in each process that
runs tests: what another one starts meanwhile is not ours to find.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterator
from random import Random
from urllib.parse import quote, quote_plus

from solders.keypair import Keypair

PART = 8
"""Characters of a secret that are too many to be seen."""
_HEX, _BASE64 = 2 * PART, 11
_BASE58 = 12
_SPECIAL = "+/ \"'\\&<%=é"
"""What other forms write in another way."""
_NUMBERS = re.compile(rb"\d{1,3}(?:\s*,\s*\d{1,3}){%d,}" % (PART - 1))
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Canaries:
    """Makes secrets and finds them again."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        high, low = divmod(os.getpid() % len(_LETTERS) ** 2, len(_LETTERS))
        self.tag = f"cAn{_LETTERS[seed]}{_LETTERS[high]}{_LETTERS[low]}rY"
        self._windows: dict[str, dict[str, str]] = {}
        self._raw: dict[bytes, str] = {}
        self._quick = {*_quick(self.tag.encode())}
        self.names: set[str] = set()

    def text(self, name: str, *, special: bool = False) -> str:
        """One for a setting. special: with characters that URLs, JSON and YAML write otherwise"""
        body = "".join(self._random.choice(_LETTERS) for _ in range(24))
        value = self.tag + (f"{body}{_SPECIAL}{body[::-1]}" if special else body)
        self.add(name, value)
        return value

    def keypair(self, name: str) -> str:
        """As the Solana CLI writes it; its seed is a canary."""
        seed = self.tag.encode() + self._random.randbytes(32 - len(self.tag))
        pair = Keypair.from_seed(seed)
        self.names.add(name)
        self._bytes(name, seed)
        self._add(name, str(pair), _BASE58)
        return pair.to_json()

    def add(self, name: str, value: str) -> None:
        self.names.add(name)
        for form in {
            *(value, quote(value, safe=""), quote(value), quote_plus(value), html.escape(value)),
            *(json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]),
            *(repr(value)[1:-1], ascii(value)[1:-1]),
        }:
            self._add(name, form, PART)
        self._bytes(name, value.encode())

    def seen(self, data: bytes | str) -> set[str]:
        """The names of those that can be seen in it, as a whole or in part."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        found = {n for inside in _lists(raw) for n in self._in_bytes(inside)}
        found |= self._in_bytes(raw)
        text = raw.decode("utf-8", "replace")
        for at in range(len(text) - PART + 1):
            # a copy, made at once: the watch looks while others are planted
            for window, name in tuple(self._windows.get(text[at : at + PART], {}).items()):
                if text.startswith(window, at):
                    found.add(name)
        return found

    def tagged(self, data: bytes) -> set[str]:
        """A quick look, for what is large or looked at often: those whose beginning is in it."""
        found: set[str] = set()
        for form in self._quick:
            at = data.find(form)
            while at >= 0:
                found |= self.seen(data[max(0, at - 16) : at + 512])
                at = data.find(form, at + 1)
        return found

    def _in_bytes(self, data: bytes) -> set[str]:
        return {
            self._raw[part]
            for at in range(len(data) - PART + 1)
            if (part := data[at : at + PART]) in self._raw
        }

    def _bytes(self, name: str, value: bytes) -> None:
        for at in range(len(value) - PART + 1):
            self._raw[value[at : at + PART]] = name
        for case in (value.hex(), value.hex().upper()):
            self._add(name, case, _HEX)
        self._add(name, repr(value)[2:-1], 2 * PART)
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + value).decode()
            # the first group and the last hold bits of what stands beside it
            whole = encoded[4 if shift else 0 : len(encoded) - 4]
            for form in (whole, whole.replace("+", "-").replace("/", "_")):
                self._add(name, form, _BASE64)

    def _add(self, name: str, form: str, length: int) -> None:
        for at in range(len(form) - length + 1):
            window = form[at : at + length]
            self._windows.setdefault(window[:PART], {})[window] = name


def _lists(data: bytes) -> Iterator[bytes]:
    """Lists of numbers, as bytes: so keypairs are written."""
    for found in _NUMBERS.finditer(data):
        numbers = [int(number) for number in found[0].split(b",")]
        yield bytes(n if n < 256 else 0 for n in numbers)


def _quick(tag: bytes) -> Iterator[bytes]:
    yield tag
    yield tag.hex().encode()
    for comma in (",", ", "):
        yield comma.join(map(str, tag)).encode()
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + tag)[4 if shift else 0 : 8]
