"""Whether the program's initialization in `cbctl.yaml` is complete by the program's own IDL.

Reads Anchor's IDL specification 0.1.0 (`defined` with a name, `pubkey`). References pass for
whatever is a key, text or number: their values are judged when they are revealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cbctl.config.problem import near, shown
from cbctl.config.reference import Reference
from cbctl.config.settings import Initialize

MAX_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 16
_INTEGER = re.compile(r"([iu])(8|16|32|64|128)")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Found = Iterator[tuple[str, str]]


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
    types = _named(idl.get("types"))
    accounts = _named(idl.get("accounts"))
    if initialize.account not in accounts:
        hint = near(initialize.account, accounts) or _there_are(accounts)
        yield "account", f"the IDL has no account `{shown(initialize.account)}`{hint}"
    instruction = instructions.get(initialize.instruction)
    if instruction is None:
        hint = near(initialize.instruction, instructions) or _there_are(instructions)
        yield "instruction", f"the IDL has no instruction `{shown(initialize.instruction)}`{hint}"
        return
    yield from _fields("arguments", initialize.arguments, instruction.get("args"), types, 0)


def _fields(path: str, found: dict[str, Any], fields: Any, types: Any, depth: int) -> Found:
    expected = _named(fields)
    for name in found:
        if name not in expected:
            hint = near(name, expected) or _there_are(expected)
            yield f"{path}.{name}", f"the IDL has no `{shown(name)}` here{hint}"
    for name, field in expected.items():
        if name in found:
            yield from _value(f"{path}.{name}", found[name], field.get("type"), types, depth + 1)
        else:
            yield path, f"`{name}` ({_kind(field.get('type'))}) is missing"


def _value(path: str, value: Any, kind: Any, types: Any, depth: int) -> Found:
    wrong = (path, f"expected {_kind(kind)}")
    if depth > _MAX_DEPTH:
        yield path, "nested too deep in the IDL"
    elif isinstance(kind, dict):
        yield from _composite(path, value, kind, types, depth)
    elif kind == "bool":
        if not isinstance(value, bool):
            yield wrong
    elif isinstance(kind, str) and (integer := _INTEGER.fullmatch(kind)):
        if isinstance(value, Reference):
            return
        signed, bits = integer[1] == "i", int(integer[2])
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if isinstance(value, bool) or not isinstance(value, int):
            yield wrong
        elif not low <= value <= high:
            yield path, f"expected {kind}: {low} to {high}"
    elif kind == "pubkey":
        if not isinstance(value, Reference) and not is_address(value):
            yield path, "expected an address: 32 bytes in base58, or a reference"
    elif kind == "string":
        if not isinstance(value, str | Reference):
            yield wrong
    else:
        yield path, f"arguments of the type {_kind(kind)} cannot be written here"


def _composite(path: str, value: Any, kind: dict[str, Any], types: Any, depth: int) -> Found:
    if "option" in kind:
        yield from _value(path, value, kind["option"], types, depth + 1)
        return
    if "vec" in kind or "array" in kind:
        item, length = (kind["vec"], None) if "vec" in kind else _array(kind["array"])
        if not isinstance(value, list) or (length is not None and len(value) != length):
            yield path, f"expected {_kind(kind)}"
            return
        for index, element in enumerate(value):
            yield from _value(f"{path}.{index}", element, item, types, depth + 1)
        return
    name = _defined(kind)
    body = types.get(name, {}).get("type")
    body = body if isinstance(body, dict) else {}
    if body.get("kind") == "struct":
        if isinstance(value, dict):
            yield from _fields(path, value, body.get("fields"), types, depth + 1)
        else:
            yield path, f"expected a mapping: the fields of {name}"
    elif body.get("kind") == "enum":
        variants = _named(body.get("variants"))
        if not isinstance(value, str) or value not in variants:
            yield path, f"expected one of {', '.join(variants)}"
    else:
        yield path, f"the IDL does not say what {_kind(kind)} is"


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


def _named(items: Any) -> dict[str, dict[str, Any]]:
    items = items if isinstance(items, list) else []
    return {
        item["name"]: item
        for item in items
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    }


def _array(kind: Any) -> tuple[Any, int | None]:
    if isinstance(kind, list) and len(kind) == 2 and isinstance(kind[1], int):
        return kind[0], kind[1]
    return None, None


def _defined(kind: dict[str, Any]) -> str:
    defined = kind.get("defined")
    name = defined.get("name") if isinstance(defined, dict) else defined
    return name if isinstance(name, str) else ""


def _kind(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if not isinstance(kind, dict):
        return "an unknown type"
    if "option" in kind:
        return _kind(kind["option"])
    if "vec" in kind:
        return f"a list of {_kind(kind['vec'])}"
    if "array" in kind:
        item, length = _array(kind["array"])
        return f"a list of {length} {_kind(item)}"
    return _defined(kind) or "an unknown type"


def _there_are(names: dict[str, Any]) -> str:
    return f"; there are {', '.join(sorted(names)) or 'none'}"
