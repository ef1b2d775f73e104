"""Little-endian values out of bytes, in the layouts that on-chain programs use."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from solders.pubkey import Pubkey

from cbctl.localnet.encoding import b58encode, b64encode

T = TypeVar("T")

_ZEROS = bytes(32)


class Unparsable(ValueError):
    """The bytes are not what the layout says."""


class Reader:
    """Reads from the front. Every method raises Unparsable when the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, length: int) -> bytes:
        """So many bytes."""
        end = self.position + length
        if length < 0 or end > len(self._data):
            raise Unparsable("too short")
        part = self._data[self.position : end]
        self.position = end
        return part

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self.position

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def end(self) -> None:
        """Unparsable when there is more."""
        if self.left:
            raise Unparsable("too long")

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def u128(self) -> int:
        return int.from_bytes(self.take(16), "little")

    def i16(self) -> int:
        return int.from_bytes(self.take(2), "little", signed=True)

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "little", signed=True)

    def f64(self) -> float:
        value: float = struct.unpack("<d", self.take(8))[0]
        return value

    def flag(self) -> bool:
        """A byte, true unless it is 0."""
        return self.u8() != 0

    def key(self) -> str:
        """An address."""
        return str(Pubkey.from_bytes(self.take(32)))

    def hash(self) -> str:
        """A blockhash."""
        return b58encode(self.take(32))

    def nonzero_key(self) -> str | None:
        """An address; 32 zero bytes stand for none."""
        raw = self.take(32)
        return None if raw == _ZEROS else str(Pubkey.from_bytes(raw))

    def option(self, kind: Callable[[Reader], T]) -> T | None:
        """One byte, 0 or 1, and then perhaps a value."""
        return self._some(self.u8(), kind)

    def padded_option(self, kind: Callable[[Reader], T], length: int) -> T | None:
        """Four bytes, 0 or 1, and room for the value in any case (`COption`)."""
        some, raw = self.u32(), self.take(length)
        return self._some(some, lambda _: kind(Reader(raw)))

    def _some(self, tag: int, kind: Callable[[Reader], T]) -> T | None:
        if tag > 1:
            raise Unparsable("neither some nor none")
        return kind(self) if tag else None

    def list_of(self, kind: Callable[[Reader], T], count: int) -> list[T]:
        """So many values."""
        if count > self.left:  # each takes a byte at least; a huge count is no list
            raise Unparsable("too short")
        return [kind(self) for _ in range(count)]

    def short_text(self) -> str:
        """A length of four bytes, then text (borsh)."""
        return self._text(self.u32())

    def long_text(self) -> str:
        """A length of eight bytes, then text (bincode)."""
        return self._text(self.u64())

    def _text(self, length: int) -> str:
        return utf8(self.take(length))


def utf8(raw: bytes) -> str:
    """Text; Unparsable when it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Unparsable("not UTF-8") from None


# ---- kinds of values that tables name beside the methods above

Kind = Callable[[Reader], object]


def as_text(kind: Callable[[Reader], int]) -> Kind:
    """A number shown as text, because it can be larger than JavaScript's numbers."""
    return lambda reader: str(kind(reader))


def base64_of(length: int) -> Kind:
    """So many bytes, shown in base64."""
    return lambda reader: b64encode(reader.take(length))


def option_of(kind: Callable[[Reader], object]) -> Kind:
    """See `Reader.option`."""
    return lambda reader: reader.option(kind)


def choice_of(*names: str) -> Kind:
    """A byte that counts through names."""
    return lambda reader: pick(names, reader.u8())


def pick(names: tuple[str, ...], index: int) -> str:
    """The name at an index; Unparsable beyond the last."""
    if index >= len(names):
        raise Unparsable(f"no variant {index}")
    return names[index]


Fields = tuple[tuple[str, Kind], ...]


def read_fields(reader: Reader, fields: Fields) -> dict[str, object]:
    """Values by name, in the order of the layout."""
    return {name: kind(reader) for name, kind in fields}


def fields(**kinds: Kind) -> Fields:
    """A layout, as keywords in order."""
    return tuple(kinds.items())
