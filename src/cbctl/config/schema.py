"""JSON Schema (draft 2020-12) of `cbctl.yaml`, made from the structs as the reader sees them.

Not made by msgspec: it allows no union with a type of ours, such as `str | Reference`.
"""

from __future__ import annotations

import inspect
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from cbctl.config.read import fields_of
from cbctl.config.reference import FORMS, Reference
from cbctl.config.settings import FILLED_IN, Settings, Webhook, Window

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NULL: dict[str, Any] = {"type": "null"}
_SCALARS: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    Path: {"type": "string", "minLength": 1},
    Reference: {"$ref": "#/$defs/Reference"},
    type(None): _NULL,
}
_SHARED: dict[str, dict[str, Any]] = {
    "Reference": {
        "type": "string",
        "description": f"a value kept elsewhere: {FORMS}",
        "pattern": r"^\$\{(env|file|secret|state|key|kms):[^{}]+\}$",
    },
    "Argument": {
        "description": "an argument of an instruction; the IDL decides what it must be",
        "anyOf": [
            {"type": ["null", "boolean", "integer", "string"]},
            {"type": "array", "items": {"$ref": "#/$defs/Argument"}},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/Argument"}},
        ],
    },
}
_META = {
    "title": "title",
    "description": "description",
    "pattern": "pattern",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
}


def schema() -> dict[str, Any]:
    """The schema as plain data; `$defs` holds one entry per section."""
    defs: dict[str, Any] = dict(_SHARED)
    settings = _struct(Settings, defs)
    # What an environment lacks may stand in `defaults`, so each alone demands nothing.
    settings["properties"]["defaults"] = {
        "description": "what every environment starts from, merged mapping by mapping",
        "anyOf": [{"$ref": "#/$defs/Environment"}, _NULL],
    }
    environments = settings["properties"]["environments"]
    whole = environments["additionalProperties"]
    environments["additionalProperties"] = {"anyOf": [whole, _NULL]}
    return {"$schema": _DRAFT, "title": "cbctl.yaml", **settings, "$defs": defs}


def _struct(cls: type[msgspec.Struct], defs: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    # Sections of an environment are merged: nothing is required, and null drops a default.
    # The document itself and the members of lists are not.
    merged = cls not in (Settings, Webhook, Window)
    for field in fields_of(cls):
        if field.name in FILLED_IN.get(cls, ()):
            continue
        entry = _type(field.type, defs)
        if merged and _NULL not in entry.get("anyOf", []):
            described = {key: entry.pop(key) for key in ("description",) if key in entry}
            entry = {**described, "anyOf": [entry, _NULL]}
        if isinstance(field.default, bool | int | str):
            entry["default"] = field.default
        properties[field.encode_name] = entry
        if field.required and not merged:
            required.append(field.encode_name)
    result: dict[str, Any] = {"type": "object", "description": inspect.getdoc(cls) or ""}
    result |= {"properties": properties, "additionalProperties": False}
    return result | ({"required": required} if required else {})


def _type(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        result = dict(_type(args[0], defs))
        for meta in args[1:]:
            if isinstance(meta, Meta):
                result |= _constraints(meta, result)
        return result
    if origin in (Union, types.UnionType):
        if dict in {get_origin(arg) for arg in args}:
            return {"$ref": "#/$defs/Argument"}
        return {"anyOf": [_type(arg, defs) for arg in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        return {"type": "array", "items": _type(args[0], defs)}
    if origin is dict:
        return {
            "type": "object",
            "propertyNames": _type(args[0], defs),
            "additionalProperties": _type(args[1], defs),
        }
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    name: str = kind.__name__
    if name not in defs:
        defs[name] = {}  # keeps a type that holds itself from going round for ever
        defs[name] = _struct(kind, defs)
    return {"$ref": f"#/$defs/{name}"}


def _constraints(meta: Meta, over: dict[str, Any]) -> dict[str, Any]:
    found = {
        word: getattr(meta, name) for name, word in _META.items() if getattr(meta, name) is not None
    }
    if over.get("type") == "object" and "minLength" in found:
        found["minProperties"] = found.pop("minLength")
    return found
