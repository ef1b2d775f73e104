"""From the JSON of an IDL, of either kind, to `model`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.model import (
    AccountItem,
    AccountSeed,
    Alias,
    ArgSeed,
    Array,
    ConstSeed,
    Defined,
    Enum,
    Field,
    Fields,
    Generic,
    Idl,
    IdlError,
    Instruction,
    Option,
    Pda,
    Primitive,
    Record,
    Seed,
    Struct,
    Tuple,
    Type,
    TypeDef,
    Variant,
    Vec,
    shown,
    snake,
)

INTEGERS = tuple(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64, 128, 256))
PRIMITIVES = {*INTEGERS, "bool", "f32", "f64", "string", "bytes", "pubkey"}
RENAMED = {"publicKey": "pubkey"}  # the older kind's word

T = TypeVar("T")


def parse(text: str) -> Idl:
    """Errors: IdlError with the path in the file."""
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IdlError("IDL", f"not JSON: {error}") from None
    if not isinstance(root, dict) or not isinstance(root.get("instructions"), list):
        raise IdlError("IDL", "not an Anchor IDL: it has no list `instructions`")
    metadata = root.get("metadata") or {}
    spec = metadata.get("spec") if isinstance(metadata, dict) else None
    if spec not in (None, "0.1.0"):
        raise IdlError("metadata.spec", f"{shown(spec)} is not known; 0.1.0 is")
    address = root.get("address") or metadata.get("address") or ""
    types = [_typedef(item, path) for item, path in _items(root, "types")]
    # The older kind writes fields where the record stands, not among the types.
    for kind in ("accounts", "events"):
        for item, path in _items(root, kind):
            if "type" in item:
                types.append(_typedef(item, path))
            elif "fields" in item:
                types.append(TypeDef(item["name"], (), Struct(_fields(item["fields"], path))))
    return Idl(
        name=str(root.get("name") or metadata.get("name") or ""),
        address="" if address in ("", str(Pubkey.default())) else _key(address, "address"),
        instructions=_by_name(_instruction(item, path) for item, path in _instructions(root)),
        accounts=_by_name(
            _record(item, path, "account") for item, path in _items(root, "accounts")
        ),
        events=_by_name(_record(item, path, "event") for item, path in _items(root, "events")),
        types=_by_name(types),
        errors={
            int(_need(item, "code", int, path)): str(item.get("name", ""))
            for item, path in _items(root, "errors")
        },
    )


def _by_name(items: Iterable[Any]) -> dict[str, Any]:
    return {item.name: item for item in items}


def _items(root: dict[str, Any], kind: str) -> list[tuple[dict[str, Any], str]]:
    found = root.get(kind) or []
    if not isinstance(found, list):
        raise IdlError(kind, "must be a list")
    for index, item in enumerate(found):
        path = f"{kind}[{index}]"
        if not isinstance(item, dict):
            raise IdlError(path, "must be an object")
        if kind != "errors":
            _need(item, "name", str, path)
    return [(item, f"{kind}[{index}]") for index, item in enumerate(found)]


def _instructions(root: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    return _items(root, "instructions")


def _need(item: Any, key: str, kind: type[T], path: str) -> T:
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, kind):
        raise IdlError(f"{path}.{key}", f"expected {kind.__name__}")
    return value


def _key(value: Any, path: str) -> str:
    try:
        return str(Pubkey.from_string(value))
    except (ValueError, TypeError):
        raise IdlError(path, f"{shown(value)} is not an address") from None


def _bytes(value: Any, path: str) -> bytes:
    try:
        return bytes(value)
    except (ValueError, TypeError):
        raise IdlError(path, "expected a list of bytes") from None


def _hashed(space: str, name: str) -> bytes:
    """Anchor's discriminator where the IDL does not give one."""
    return hashlib.sha256(f"{space}:{name}".encode()).digest()[:8]


def _record(item: dict[str, Any], path: str, space: str) -> Record:
    given = item.get("discriminator")
    name = item["name"]
    own = _hashed(space, name) if given is None else _bytes(given, f"{path}.discriminator")
    return Record(name, own)


# ---- instructions


def _instruction(item: dict[str, Any], path: str) -> Instruction:
    name = snake(item["name"])
    given = item.get("discriminator")
    own = _hashed("global", name) if given is None else _bytes(given, f"{path}.discriminator")
    fields = _fields(item.get("args") or [], f"{path}.args").items
    types = {field.name: field.type for field in fields}
    accounts = _flatten(item.get("accounts") or [], f"{path}.accounts", types)
    return Instruction(name, own, tuple(accounts), fields)


def _flatten(items: Any, path: str, types: dict[str, Type]) -> Iterable[AccountItem]:
    """Groups of accounts lose their level: their members keep their names and their order."""
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        name = snake(_need(item, "name", str, where))
        if "accounts" in item:
            yield from _flatten(item["accounts"], f"{where}.accounts", types)
            continue
        address = item.get("address") or ""
        yield AccountItem(
            name=name,
            writable=bool(item.get("writable", item.get("isMut", False))),
            signer=bool(item.get("signer", item.get("isSigner", False))),
            optional=bool(item.get("optional", item.get("isOptional", False))),
            address=_key(address, f"{where}.address") if address else "",
            pda=_pda(item["pda"], f"{where}.pda") if item.get("pda") else None,
        )


def _pda(item: dict[str, Any], path: str) -> Pda:
    seeds = _need(item, "seeds", list, path)
    program = item.get("program") or item.get("programId")
    return Pda(
        tuple(_seed(seed, f"{path}.seeds[{index}]") for index, seed in enumerate(seeds)),
        _seed(program, f"{path}.program") if program else None,
    )


def _seed(item: dict[str, Any], path: str) -> Seed:
    kind = _need(item, "kind", str, path)
    if kind == "const":
        value = item.get("value")
        if isinstance(value, str):  # the older kind: text, or an address where the type says so
            is_key = item.get("type") in ("publicKey", "pubkey")
            text = bytes(Pubkey.from_string(_key(value, path))) if is_key else value.encode()
            return ConstSeed(text)
        if isinstance(value, int):
            width = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}.get(str(item.get("type")))
            if width is None:
                raise IdlError(path, "a number needs its type")
            return ConstSeed(value.to_bytes(width, "little"))
        return ConstSeed(_bytes(value, f"{path}.value"))
    if kind not in ("arg", "account"):
        raise IdlError(f"{path}.kind", f"{shown(kind)} is not known")
    parts = tuple(snake(part) for part in _need(item, "path", str, path).split("."))
    if kind == "arg":
        return ArgSeed(parts)
    return AccountSeed(parts, str(item.get("account") or ""))


# ---- types


def _typedef(item: dict[str, Any], path: str) -> TypeDef:
    body = _need(item, "type", dict, path)
    kind = body.get("kind")
    generics = tuple(str(entry["name"]) for entry in item.get("generics") or [])
    where = f"{path}.type"
    if kind == "struct":
        made: Struct | Enum | Alias = Struct(_fields(body.get("fields") or [], where))
    elif kind == "enum":
        variants = _need(body, "variants", list, where)
        made = Enum(
            tuple(
                Variant(entry["name"], _fields(entry.get("fields") or [], f"{where}.variants[{n}]"))
                for n, entry in enumerate(variants)
            )
        )
    elif kind in ("type", "alias"):
        made = Alias(_type(body.get("alias", body.get("value")), where))
    else:
        raise IdlError(f"{where}.kind", f"{shown(kind)} is not known")
    return TypeDef(item["name"], generics, made)


def _fields(items: Any, path: str) -> Fields:
    if not isinstance(items, list):
        raise IdlError(path, "expected a list of fields")
    named = bool(items) and isinstance(items[0], dict) and "name" in items[0]
    made = []
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if named:
            name = snake(_need(item, "name", str, where))
            made.append(Field(name, _type(item.get("type"), f"{where}.type")))
        else:
            made.append(Field(str(index), _type(item, where)))
    return Fields(named, tuple(made))


def _type(item: Any, path: str) -> Type:
    if isinstance(item, str):
        name = RENAMED.get(item, item)
        if name not in PRIMITIVES:
            raise IdlError(path, f"{shown(item)} is not a known type")
        return Primitive(name)
    if isinstance(item, dict) and len(item) == 1:
        kind, inner = next(iter(item.items()))
        if kind in ("option", "coption"):
            return Option(_type(inner, f"{path}.{kind}"), wide=kind == "coption")
        if kind == "vec":
            return Vec(_type(inner, f"{path}.vec"))
        if kind == "array" and isinstance(inner, list) and len(inner) == 2:
            return Array(_type(inner[0], f"{path}.array"), _length(inner[1], path))
        if kind == "tuple" and isinstance(inner, list):
            return Tuple(tuple(_type(entry, f"{path}.tuple") for entry in inner))
        if kind == "generic" and isinstance(inner, str):
            return Generic(inner)
        if kind == "defined":
            return _defined(inner, path)
    raise IdlError(path, f"{shown(item)} is not a known type")


def _length(item: Any, path: str) -> int | str:
    value = item.get("generic") if isinstance(item, dict) else item
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise IdlError(path, "an array needs a length")
    return value


def _defined(item: Any, path: str) -> Defined:
    if isinstance(item, str):
        return Defined(item)
    name = _need(item, "name", str, path)
    generics: list[Type | int | str] = []
    for entry in item.get("generics") or []:
        if entry.get("kind") == "const":
            text = str(entry.get("value"))
            generics.append(int(text) if text.isdigit() else text)
        else:
            generics.append(_type(entry.get("type"), f"{path}.generics"))
    return Defined(name, tuple(generics))
