"""Whether the program's initialization in `cbctl.yaml` is complete by the program's own IDL.

Reads both kinds of Anchor's IDLs, and lets pass what `cbctl.clients.solana.idl` can encode.
References pass for whatever is an address, a number, text or bytes: their values are judged when
they are revealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cbctl.config.names import snake
from cbctl.config.problem import near, shown
from cbctl.config.reference import Reference
from cbctl.config.settings import Initialize

MAX_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 16
_INTEGER = re.compile(r"([iu])(8|16|32|64|128|256)")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_ADDRESS = "expected an address: 32 bytes in base58, or a reference"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Found = Iterator[tuple[str, str]]
Generics = Mapping[str, Any]
"""By name: a type, or a number."""


class NotAnIdl(ValueError):
    """The file is no IDL; the message says why."""


def read(path: Path) -> dict[str, Any]:
    """The IDL of a file; NotAnIdl when it is none, OSError when it cannot be read."""
    with path.open("rb") as stream:
        raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise NotAnIdl("too large")
    try:
        idl = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotAnIdl("not JSON") from None
    if not isinstance(idl, dict) or not isinstance(idl.get("instructions"), list):
        raise NotAnIdl("no list `instructions` in it")
    return idl


def check(initialize: Initialize, idl: dict[str, Any]) -> Found:
    """Pairs of setting below `program.initialize` and message: nothing when all is complete."""
    instructions = _named(idl.get("instructions"))
    accounts = _named(idl.get("accounts"))
    if snake(initialize.account) not in accounts:
        hint = _hint(initialize.account, accounts)
        yield "account", f"the IDL has no account `{shown(initialize.account)}`{hint}"
    instruction = instructions.get(snake(initialize.instruction))
    if instruction is None:
        hint = _hint(initialize.instruction, instructions)
        yield "instruction", f"the IDL has no instruction `{shown(initialize.instruction)}`{hint}"
        return
    yield from _accounts(initialize, _named(_flat(instruction.get("accounts"))))
    walk = _Walk({item["name"]: item for item in _items(idl.get("types"))})
    yield from walk.fields("arguments", initialize.arguments, instruction.get("args"), {}, 0)


def _accounts(initialize: Initialize, known: Mapping[str, dict[str, Any]]) -> Found:
    """Those that the settings name must be the instruction's."""
    named = {f"accounts.{name}": name for name in initialize.accounts}
    if initialize.at is not None:
        named["at"] = initialize.at
    for path, name in named.items():
        if snake(name) not in known:
            hint = _hint(name, known)
            yield path, f"{initialize.instruction} has no account `{shown(name)}`{hint}"
    for name, address in initialize.accounts.items():
        if not isinstance(address, Reference) and not is_address(address):
            yield f"accounts.{name}", _ADDRESS


@dataclass(frozen=True)
class _Walk:
    """Values beside the types that the IDL has for them.

    types  the IDL's own, by name
    """

    types: Mapping[str, Any]

    def fields(self, path: str, given: Any, fields: Any, generics: Generics, depth: int) -> Found:
        """Of a struct, or an instruction's arguments. An option may be left out."""
        if fields and not _named(fields):
            yield from self._positions(path, given, fields, generics, depth)
            return
        if not isinstance(given, dict):
            yield path, "expected a mapping: its fields by name"
            return
        expected, found = _named(fields), {snake(name): name for name in given}
        for name, written in found.items():
            if name not in expected:
                hint = _hint(written, expected)
                yield f"{path}.{written}", f"the IDL has no `{shown(written)}` here{hint}"
        for name, field in expected.items():
            kind = field.get("type")
            if name in found:
                inner = f"{path}.{found[name]}"
                yield from self.value(inner, given[found[name]], kind, generics, depth + 1)
            elif not _is_option(kind):
                yield path, f"`{field['name']}` ({_kind(kind)}) is missing"

    def value(self, path: str, value: Any, kind: Any, generics: Generics, depth: int) -> Found:
        if depth > _MAX_DEPTH:
            yield path, "nested too deep in the IDL"
        elif isinstance(kind, dict):
            yield from self._composite(path, value, kind, generics, depth)
        else:
            wrong = _primitive(value, kind)
            if wrong:
                yield path, wrong

    def _composite(
        self, path: str, value: Any, kind: dict[str, Any], generics: Generics, depth: int
    ) -> Found:
        if _is_option(kind):
            if value is not None:
                [inner] = kind.values()
                yield from self.value(path, value, inner, generics, depth + 1)
        elif "generic" in kind:
            meant = generics.get(str(kind["generic"]))
            yield from self.value(path, value, meant, generics, depth + 1)
        elif "vec" in kind or "array" in kind:
            item, length = (kind["vec"], None) if "vec" in kind else _array(kind["array"], generics)
            if not isinstance(value, list) or (length is not None and len(value) != length):
                yield path, f"expected {_list_of(item, length)}"
                return
            yield from self._positions(path, value, [item] * len(value), generics, depth)
        elif "tuple" in kind:
            yield from self._positions(path, value, kind["tuple"], generics, depth)
        else:
            yield from self._defined(path, value, kind, generics, depth)

    def _positions(
        self, path: str, given: Any, kinds: Any, generics: Generics, depth: int
    ) -> Found:
        """Of a list, a tuple, or a struct whose fields have no names."""
        kinds = kinds if isinstance(kinds, list) else []
        if not isinstance(given, list) or len(given) != len(kinds):
            yield path, f"expected a list of {len(kinds)}"
            return
        for index, (value, kind) in enumerate(zip(given, kinds, strict=True)):
            yield from self.value(f"{path}.{index}", value, kind, generics, depth + 1)

    def _defined(
        self, path: str, value: Any, kind: dict[str, Any], generics: Generics, depth: int
    ) -> Found:
        name, arguments = _defined(kind)
        definition = self.types.get(name, {})
        body = definition.get("type")
        body = body if isinstance(body, dict) else {}
        names = [item["name"] for item in _items(definition.get("generics"))]
        inner = dict(zip(names, (_argument(a, generics) for a in arguments), strict=False))
        match body.get("kind"):
            case "struct" if isinstance(value, dict) or not _named(body.get("fields")):
                yield from self.fields(path, value, body.get("fields"), inner, depth + 1)
            case "struct":
                yield path, f"expected a mapping: the fields of {name}"
            case "enum":
                yield from self._enum(path, value, _named(body.get("variants")), inner, depth)
            case "type" | "alias":
                meant = body.get("alias", body.get("value"))
                yield from self.value(path, value, meant, inner, depth + 1)
            case _:
                yield path, f"the IDL does not say what {_kind(kind)} is"

    def _enum(
        self, path: str, value: Any, variants: Mapping[str, Any], generics: Generics, depth: int
    ) -> Found:
        """A variant by its name, or `{name: fields}`."""
        names = ", ".join(variant["name"] for variant in variants.values())
        if isinstance(value, dict) and len(value) > 1:
            found = ", ".join(shown(name) for name in value)
            yield path, f"expected one of {names}, found {found}; null drops an inherited one"
            return
        name, given = (
            next(iter(value.items())) if isinstance(value, dict) and value else (value, None)
        )
        variant = variants.get(snake(name)) if isinstance(name, str) else None
        if variant is None:
            yield path, f"expected one of {names}"
            return
        fields = variant.get("fields") or []
        if fields and given is None:
            yield path, f"`{name}` has fields: write {{{name}: …}}"
        elif fields:
            yield from self.fields(f"{path}.{name}", given, fields, generics, depth + 1)
        elif given is not None:
            yield f"{path}.{name}", f"`{name}` has no fields"


def _primitive(value: Any, kind: Any) -> str:
    """What is wrong with the value; "" for nothing."""
    integer = _INTEGER.fullmatch(kind) if isinstance(kind, str) else None
    if integer is not None:
        if isinstance(value, Reference):
            return ""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"expected {kind}"
        bits = int(integer[2])
        low, high = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if integer[1] == "i" else (0, (1 << bits) - 1)
        )
        return "" if low <= value <= high else f"expected {kind}: {low} to {high}"
    match kind:
        case "bool":
            return "" if isinstance(value, bool) else "expected bool"
        case "pubkey" | "publicKey":
            return "" if isinstance(value, Reference) or is_address(value) else _ADDRESS
        case "string":
            return "" if isinstance(value, str | Reference) else "expected string"
        case "bytes":
            good = isinstance(value, Reference) or (
                isinstance(value, str) and _HEX.fullmatch(value)
            )
            return "" if good else "expected bytes: text of two hex digits for each"
        case _:
            return f"arguments of the type {_kind(kind)} cannot be written here"


def is_address(value: object) -> bool:
    """Whether a value is 32 bytes in base58."""
    if not isinstance(value, str) or not 32 <= len(value) <= 44:
        return False
    number = 0
    for char in value:
        digit = _ALPHABET.find(char)
        if digit < 0:
            return False
        number = number * 58 + digit
    zeros = len(value) - len(value.lstrip("1"))
    return zeros + (number.bit_length() + 7) // 8 == 32


def _items(items: Any) -> list[dict[str, Any]]:
    """Those of a list of the IDL that have a name."""
    items = items if isinstance(items, list) else []
    return [i for i in items if isinstance(i, dict) and isinstance(i.get("name"), str)]


def _named(items: Any) -> dict[str, dict[str, Any]]:
    """By name in one spelling: the two kinds of IDLs have two."""
    return {snake(item["name"]): item for item in _items(items)}


def _flat(items: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The accounts of an instruction; those of a group stand for it."""
    flat = []
    for item in _items(items):
        group = "accounts" in item and depth < _MAX_DEPTH
        flat += _flat(item["accounts"], depth + 1) if group else [item]
    return flat


def _is_option(kind: Any) -> bool:
    return isinstance(kind, dict) and list(kind) in (["option"], ["coption"])


def _array(kind: Any, generics: Generics) -> tuple[Any, int | None]:
    """(type of an item, how many); None when that cannot be told."""
    if not isinstance(kind, list) or len(kind) != 2:
        return None, None
    item, length = kind
    if isinstance(length, dict):
        length = generics.get(str(length.get("generic")))
    return item, length if isinstance(length, int) else None


def _defined(kind: dict[str, Any]) -> tuple[str, list[Any]]:
    """(name, generic arguments); "" when it is no type that the IDL defines."""
    defined = kind.get("defined")
    if not isinstance(defined, dict):
        return (defined, []) if isinstance(defined, str) else ("", [])
    name, generics = defined.get("name"), defined.get("generics")
    return name if isinstance(name, str) else "", generics if isinstance(generics, list) else []


def _argument(given: Any, generics: Generics) -> Any:
    """A generic argument of a type: another type or a number, which may be generic themselves."""
    given = given if isinstance(given, dict) else {}
    if given.get("kind") != "const":
        kind = given.get("type")
        outer = kind.get("generic") if isinstance(kind, dict) else None
        return kind if outer is None else generics.get(str(outer))
    value = str(given.get("value"))
    return int(value) if value.isdecimal() else generics.get(value)


def _kind(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if not isinstance(kind, dict):
        return "an unknown type"
    if _is_option(kind):
        [inner] = kind.values()
        return _kind(inner)
    if "vec" in kind:
        return _list_of(kind["vec"], None)
    if "array" in kind:
        return _list_of(*_array(kind["array"], {}))
    return _defined(kind)[0] or str(kind.get("generic", "an unknown type"))


def _list_of(item: Any, length: int | None) -> str:
    return f"a list of {_kind(item)}" if length is None else f"a list of {length} {_kind(item)}"


def _hint(name: str, known: Mapping[str, dict[str, Any]]) -> str:
    names = sorted(item["name"] for item in known.values())
    return near(name, names) or f"; there are {', '.join(names) or 'none'}"
