"""What differs between two IDLs, and whether a client of the older one can go on.

Additive is what such a client never notices: a new instruction, account, event, error or type, and
a variant at the end of an enum. Everything else changes bytes that it writes or reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cbctl.clients.solana.idl.model import Enum, Idl, Instruction, Record, Struct, TypeDef


@dataclass(frozen=True)
class Difference:
    """breaks: a client of the older one would send or read something wrong"""

    what: str
    breaks: bool


def compare(old: Idl, new: Idl) -> list[Difference]:
    return [
        *_named("instruction", old.instructions, new.instructions, _instruction),
        *_named("account", old.accounts, new.accounts, _record),
        *_named("event", old.events, new.events, _record),
        *_named("type", old.types, new.types, _type),
        *_errors(old.errors, new.errors),
    ]


def _named(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any], inside: Any
) -> Iterator[Difference]:
    for name in old:
        if name not in new:
            yield Difference(f"{kind} {name} is gone", True)
        elif old[name] != new[name]:
            yield from inside(f"{kind} {name}", old[name], new[name])
    for name in new:
        if name not in old:
            yield Difference(f"{kind} {name} is new", False)


def _instruction(name: str, old: Instruction, new: Instruction) -> Iterator[Difference]:
    for what in ("discriminator", "arguments", "accounts"):
        if getattr(old, what) != getattr(new, what):
            yield Difference(f"{name}: other {what}", True)


def _record(name: str, old: Record, new: Record) -> Iterator[Difference]:
    if old.discriminator != new.discriminator:
        yield Difference(f"{name}: another discriminator", True)


def _type(name: str, old: TypeDef, new: TypeDef) -> Iterator[Difference]:
    before, after = old.body, new.body
    if isinstance(before, Enum) and isinstance(after, Enum) and old.generics == new.generics:
        kept = after.variants[: len(before.variants)]
        if kept == before.variants:
            added = ", ".join(v.name for v in after.variants[len(kept) :])
            yield Difference(f"{name}: new variants {added}", False)
            return
    if isinstance(before, Struct) and isinstance(after, Struct):
        fields = {f.name: f for f in before.fields.items}
        found = {f.name: f for f in after.fields.items}
        changed = [n for n in fields if n in found and fields[n] != found[n]]
        parts = {
            "gone": [n for n in fields if n not in found],
            "new": [n for n in found if n not in fields],
            "changed": changed,
        }
        said = "; ".join(f"{word}: {', '.join(names)}" for word, names in parts.items() if names)
        yield Difference(f"{name}: {said or 'its fields stand in another order'}", True)
        return
    yield Difference(f"{name}: another layout", True)


def _errors(old: Mapping[int, str], new: Mapping[int, str]) -> Iterator[Difference]:
    for number, name in old.items():
        if new.get(number) != name:
            yield Difference(f"error {number}: {name} → {new.get(number, 'gone')}", True)
    for number in new.keys() - old.keys():
        yield Difference(f"error {number} {new[number]} is new", False)
