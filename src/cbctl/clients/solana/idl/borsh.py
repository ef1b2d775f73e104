"""Borsh by the types of an IDL. Values are plain JSON-like data in both directions:

integers are int, addresses base58 text, `bytes` hex text, options None or the value (as a field
they may be left out), structs mappings by field name (lists where fields have no names), enums
the variant's name or `{name: fields}`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from cbctl.clients.solana.idl.model import (
    Alias,
    Array,
    Defined,
    Enum,
    Fields,
    Generic,
    IdlError,
    Option,
    Primitive,
    Struct,
    Tuple,
    Type,
    TypeDef,
    Vec,
    shown,
    snake,
)
from cbctl.clients.solana.idl.primitive import decode_primitive, encode_primitive, take

Env = Mapping[str, Type | int]
NO_GENERICS: Env = {}
DEEPEST = 32  # levels; a type that contains itself must end somewhere


class Codec:
    def __init__(self, types: Mapping[str, TypeDef]) -> None:
        self._types = types

    # ---- encoding

    def encode(self, kind: Type, value: Any, path: str, env: Env = NO_GENERICS) -> bytes:
        """Errors: IdlError with the path of the value."""
        if isinstance(kind, Primitive):
            return encode_primitive(kind.name, value, path)
        if isinstance(kind, Generic):
            return self.encode(self._generic(kind, env, path), value, path, env)
        if isinstance(kind, Option):
            tag = struct.pack("<I" if kind.wide else "<B", value is not None)
            return tag if value is None else tag + self.encode(kind.item, value, path, env)
        if isinstance(kind, Vec):
            items = _sequence(value, path)
            return struct.pack("<I", len(items)) + self._each(kind.item, items, path, env)
        if isinstance(kind, Array):
            items, length = _sequence(value, path), self._length(kind, env, path)
            if len(items) != length:
                raise IdlError(path, f"needs {length} items, not {len(items)}")
            return self._each(kind.item, items, path, env)
        if isinstance(kind, Tuple):
            items = _sequence(value, path)
            if len(items) != len(kind.items):
                raise IdlError(path, f"needs {len(kind.items)} items, not {len(items)}")
            return b"".join(
                self.encode(inner, item, f"{path}[{index}]", env)
                for index, (inner, item) in enumerate(zip(kind.items, items, strict=True))
            )
        body, inner_env = self._definition(kind, env, path)
        if isinstance(body, Alias):
            return self.encode(body.type, value, path, inner_env)
        if isinstance(body, Struct):
            return self._encode_fields(body.fields, value, path, inner_env)
        return self._encode_enum(body, value, path, inner_env)

    def encode_fields(self, fields: Fields, value: Any, path: str) -> bytes:
        return self._encode_fields(fields, value, path, NO_GENERICS)

    def _each(self, kind: Type, items: Sequence[Any], path: str, env: Env) -> bytes:
        return b"".join(
            self.encode(kind, item, f"{path}[{index}]", env) for index, item in enumerate(items)
        )

    def _encode_fields(self, fields: Fields, value: Any, path: str, env: Env) -> bytes:
        if not fields.named:
            items = _sequence(value, path) if fields.items or value else ()
            if len(items) != len(fields.items):
                raise IdlError(path, f"needs {len(fields.items)} items, not {len(items)}")
            values: Mapping[str, Any] = {str(index): item for index, item in enumerate(items)}
        elif isinstance(value, Mapping):
            values = {snake(str(key)): item for key, item in value.items()}
        else:
            raise IdlError(path, f"expected a mapping, not {shown(value)}")
        names = {field.name for field in fields.items}
        if unknown := sorted(set(values) - names):
            raise IdlError(f"{path}.{unknown[0]}", f"no such field; there are {_listed(names)}")
        parts = []
        for field in fields.items:
            where = f"{path}.{field.name}"
            if field.name not in values and not isinstance(field.type, Option):
                raise IdlError(where, "is missing")
            parts.append(self.encode(field.type, values.get(field.name), where, env))
        return b"".join(parts)

    def _encode_enum(self, body: Enum, value: Any, path: str, env: Env) -> bytes:
        if isinstance(value, str):
            name, inner = value, None
        elif isinstance(value, Mapping) and len(value) == 1:
            name, inner = next(iter(value.items()))
        else:
            raise IdlError(path, f"expected the name of a variant, not {shown(value)}")
        for index, variant in enumerate(body.variants):
            if snake(variant.name) == snake(str(name)):
                fields = variant.fields
                given = inner if inner is not None else ({} if fields.named else [])
                where = f"{path}.{variant.name}"
                return bytes([index]) + self._encode_fields(fields, given, where, env)
        known = _listed({variant.name for variant in body.variants})
        raise IdlError(path, f"no variant {shown(name)}; there are {known}")

    # ---- decoding

    def decode(
        self, kind: Type, data: bytes, at: int, path: str, env: Env = NO_GENERICS, depth: int = 0
    ) -> tuple[Any, int]:
        """(value, offset of what follows). Errors: IdlError when the data is not of the type."""
        if depth > DEEPEST:
            raise IdlError(path, f"is nested more than {DEEPEST} levels deep")
        if isinstance(kind, Primitive):
            return decode_primitive(kind.name, data, at, path)
        if isinstance(kind, Generic):
            inner = self._generic(kind, env, path)
            return self.decode(inner, data, at, path, env, depth + 1)
        if isinstance(kind, Option):
            size = 4 if kind.wide else 1
            tag = int.from_bytes(take(data, at, size, path), "little")
            if tag not in (0, 1):
                raise IdlError(path, f"{tag} is not the tag of an option")
            if tag == 0:
                return None, at + size
            return self.decode(kind.item, data, at + size, path, env, depth + 1)
        if isinstance(kind, Vec | Array | Tuple):
            return self._decode_items(kind, data, at, path, env, depth)
        body, inner_env = self._definition(kind, env, path)
        if isinstance(body, Alias):
            return self.decode(body.type, data, at, path, inner_env, depth + 1)
        if isinstance(body, Struct):
            return self._decode_fields(body.fields, data, at, path, inner_env, depth)
        index = take(data, at, 1, path)[0]
        if index >= len(body.variants):
            raise IdlError(path, f"there is no variant number {index}")
        variant = body.variants[index]
        if not variant.fields.items:
            return variant.name, at + 1
        where = f"{path}.{variant.name}"
        value, at = self._decode_fields(variant.fields, data, at + 1, where, inner_env, depth)
        return {variant.name: value}, at

    def _decode_items(
        self, kind: Vec | Array | Tuple, data: bytes, at: int, path: str, env: Env, depth: int
    ) -> tuple[list[Any], int]:
        if isinstance(kind, Tuple):
            kinds: Sequence[Type] = kind.items
        elif isinstance(kind, Vec):
            count = int.from_bytes(take(data, at, 4, path), "little")
            at += 4
            if count > len(data) - at:  # an item has at least one byte
                raise IdlError(path, f"{count:,} items cannot be in {len(data) - at:,} bytes")
            kinds = [kind.item] * count
        else:
            kinds = [kind.item] * self._length(kind, env, path)
        found = []
        for index, inner in enumerate(kinds):
            value, at = self.decode(inner, data, at, f"{path}[{index}]", env, depth + 1)
            found.append(value)
        return found, at

    def _decode_fields(
        self, fields: Fields, data: bytes, at: int, path: str, env: Env, depth: int
    ) -> tuple[Any, int]:
        found = {}
        for field in fields.items:
            where = f"{path}.{field.name}"
            found[field.name], at = self.decode(field.type, data, at, where, env, depth + 1)
        return (found if fields.named or not fields.items else list(found.values())), at

    # ---- names

    def _definition(self, kind: Defined, env: Env, path: str) -> tuple[Struct | Enum | Alias, Env]:
        found = self._types.get(kind.name)
        if found is None:
            raise IdlError(path, f"the IDL does not define the type {kind.name}")
        if len(found.generics) != len(kind.generics):
            raise IdlError(path, f"{kind.name} takes {len(found.generics)} generics")
        given: dict[str, Type | int] = {}
        for name, value in zip(found.generics, kind.generics, strict=True):
            given[name] = _resolve(value, env, path)
        return found.body, given

    def _generic(self, kind: Generic, env: Env, path: str) -> Type:
        found = env.get(kind.name)
        if found is None or isinstance(found, int):
            raise IdlError(path, f"the generic {kind.name} is not a type here")
        return found

    def _length(self, kind: Array, env: Env, path: str) -> int:
        length = kind.length if isinstance(kind.length, int) else env.get(kind.length)
        if not isinstance(length, int):
            raise IdlError(path, f"the generic {kind.length} is not a number here")
        return length


def _resolve(value: Type | int | str, env: Env, path: str) -> Type | int:
    if isinstance(value, Generic):
        value = value.name
    if isinstance(value, str):
        if value not in env:
            raise IdlError(path, f"the generic {value} is not known here")
        return env[value]
    return value


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _sequence(value: Any, path: str) -> Sequence[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise IdlError(path, f"expected a list, not {shown(value)}")
    return value
