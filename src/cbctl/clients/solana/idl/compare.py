"""Whether what was made for one IDL can go on with a program that has another one.

An account may grow at its end, or take room from bytes that were kept for it (`reserve`); an enum
may get more variants; instructions, accounts and events may be added. Everything else moves or
changes bytes that somebody reads or writes by the old description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cbctl.clients.solana.idl.model import (
    Alias,
    Array,
    Defined,
    Enum,
    Field,
    Fields,
    Generic,
    Idl,
    Instruction,
    Option,
    Primitive,
    Record,
    Struct,
    Tuple,
    Type,
    Vec,
)

ROOM = ("reserve", "reserved", "padding")  # names of a last field that is kept for later


def breaks(old: Idl, new: Idl) -> Iterator[str]:
    """What a reader and caller by `old` could not do any more, one sentence each."""
    yield from _instructions(old, new)
    pair = _Pair(old, new)
    for kind, before, after in (
        ("account", old.accounts, new.accounts),
        ("event", old.events, new.events),
    ):
        yield from _records(kind, before, after, pair)


def _instructions(old: Idl, new: Idl) -> Iterator[str]:
    pair = _Pair(old, new)
    for name, before in old.instructions.items():
        after = new.instructions.get(name)
        if after is None:
            yield f"the instruction {name} is gone"
        elif after.discriminator != before.discriminator:
            yield f"the instruction {name} has another discriminator"
        else:
            yield from pair.arguments(f"the instruction {name}", before, after)


def _records(
    kind: str, old: Mapping[str, Record], new: Mapping[str, Record], pair: _Pair
) -> Iterator[str]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"the {kind} {name} is gone"
        elif after.discriminator != before.discriminator:
            yield f"the {kind} {name} has another discriminator"
        else:
            yield from pair.types(f"the {kind} {name}", Defined(before.name), last=True)


class _Pair:
    """Both IDLs side by side. A type is compared by what it is made of, not by its name."""

    def __init__(self, old: Idl, new: Idl) -> None:
        self._old, self._new = old, new
        self._open: set[str] = set()

    def arguments(self, what: str, old: Instruction, new: Instruction) -> Iterator[str]:
        before, after = (
            [(one.name, one.writable, one.signer, one.optional) for one in item.accounts]
            for item in (old, new)
        )
        more = after[len(before) :]
        if after[: len(before)] != before or any(not optional for *_, optional in more):
            yield f"{what} takes other accounts"
        if len(old.arguments) != len(new.arguments):
            yield f"{what} takes {len(new.arguments)} arguments, not {len(old.arguments)}"
            return
        for one, other in zip(old.arguments, new.arguments, strict=True):
            yield from self.type(f"{what}, argument {one.name}", one.type, other.type, last=False)

    def types(self, what: str, named: Defined, *, last: bool) -> Iterator[str]:
        """The same type of both. last: nothing follows it, so that it may grow."""
        before, after = self._old.types.get(named.name), self._new.types.get(named.name)
        if before is None or named.name in self._open:
            return
        if after is None:
            yield f"{what}: its type {named.name} is gone"
            return
        self._open.add(named.name)
        try:
            yield from self._bodies(what, before.body, after.body, last=last)
        finally:
            self._open.discard(named.name)

    def _bodies(
        self, what: str, old: Struct | Enum | Alias, new: Struct | Enum | Alias, *, last: bool
    ) -> Iterator[str]:
        match old, new:
            case Struct(), Struct():
                yield from self._fields(what, old.fields, new.fields, last=last)
            case Enum(), Enum():
                names = [variant.name for variant in new.variants[: len(old.variants)]]
                if names != [variant.name for variant in old.variants]:
                    yield f"{what}: the variants are not the same, in the same order"
                    return
                for one, other in zip(old.variants, new.variants, strict=False):
                    yield from self._fields(
                        f"{what}, variant {one.name}", one.fields, other.fields, last=False
                    )
            case Alias(), Alias():
                yield from self.type(what, old.type, new.type, last=last)
            case _:
                yield f"{what} is {_kind(new)} now, and was {_kind(old)}"

    def _fields(self, what: str, old: Fields, new: Fields, *, last: bool) -> Iterator[str]:
        before, after = list(old.items), list(new.items)
        if last and before and before[-1].name in ROOM:
            kept = self._size(self._old, before[-1].type)
            rest = after[len(before) - 1 :]
            sizes = [self._size(self._new, one.type) for one in rest]
            if kept is not None and None not in sizes and sum(filter(None, sizes)) == kept:
                before.pop()
                after = after[: len(before)]
        for position, one in enumerate(before):
            if position >= len(after):
                yield f"{what}: the field {one.name} is gone"
                return
            other: Field = after[position]
            if other.name != one.name:
                yield f"{what}: where the field {one.name} was, there is {other.name}"
                return
            ends = last and position == len(before) - 1 and len(after) == len(before)
            yield from self.type(f"{what}, field {one.name}", one.type, other.type, last=ends)
        if len(after) > len(before) and not last:
            yield f"{what}: {after[len(before)].name} was added in the middle of other bytes"

    def type(self, what: str, old: Type, new: Type, *, last: bool) -> Iterator[str]:
        match old, new:
            case Defined(), Defined() if old.name == new.name and old.generics == new.generics:
                yield from self.types(what, old, last=last)
            case Option(), Option() if old.wide == new.wide:
                yield from self.type(what, old.item, new.item, last=False)
            case Vec(), Vec():
                yield from self.type(what, old.item, new.item, last=False)
            case Array(), Array() if old.length == new.length:
                yield from self.type(what, old.item, new.item, last=False)
            case Tuple(), Tuple() if len(old.items) == len(new.items):
                for one, other in zip(old.items, new.items, strict=True):
                    yield from self.type(what, one, other, last=False)
            case _ if old != new:
                yield f"{what} is {_text(new)} now, and was {_text(old)}"

    def _size(self, idl: Idl, kind: Type) -> int | None:
        """Bytes of a type whose size is fixed, None of any other."""
        match kind:
            case Primitive(name):
                return _SIZES.get(name)
            case Array(item, int(length)):
                one = self._size(idl, item)
                return None if one is None else one * length
            case Tuple(items):
                return self._sum(idl, items)
            case Defined(name, ()) if name in idl.types:
                body = idl.types[name].body
                if isinstance(body, Struct):
                    return self._sum(idl, tuple(one.type for one in body.fields.items))
                if isinstance(body, Alias):
                    return self._size(idl, body.type)
                plain = all(not variant.fields.items for variant in body.variants)
                return 1 if plain else None
        return None

    def _sum(self, idl: Idl, kinds: tuple[Type, ...]) -> int | None:
        total = 0
        for kind in kinds:
            size = self._size(idl, kind)
            if size is None:
                return None
            total += size
        return total


_SIZES = {
    **{f"{sign}{bits}": bits // 8 for sign in "iu" for bits in (8, 16, 32, 64, 128, 256)},
    "bool": 1,
    "f32": 4,
    "f64": 8,
    "pubkey": 32,
}


def _kind(body: Struct | Enum | Alias) -> str:
    return {Struct: "a struct", Enum: "an enum", Alias: "another name"}[type(body)]


def _text(kind: Type) -> str:
    match kind:
        case Primitive(name) | Generic(name) | Defined(name):
            return name
        case Option(item):
            return f"option of {_text(item)}"
        case Vec(item):
            return f"list of {_text(item)}"
        case Array(item, length):
            return f"{length} times {_text(item)}"
        case Tuple(items):
            return "(" + ", ".join(map(_text, items)) + ")"
