"""What an IDL says, in one form whichever kind of file it came from.

Names of instructions, arguments, accounts and fields are snake_case here; names of types and
enum variants are as in the file. Structs of msgspec rather than dataclasses: making these classes
was half of the package's import time, which every start pays (45 ms, now 25).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cbctl.config.names import snake as snake
from cbctl.errors import CbctlError, Exit


class IdlError(CbctlError):
    """path: into the IDL or into the value, for example `arguments.config.limit`."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}", exit=Exit.USAGE)
        self.path = path


# ---- types


class Primitive(msgspec.Struct, frozen=True):
    """bool, u8 to u256, i8 to i256, f32, f64, string, bytes, pubkey"""

    name: str


class Option(msgspec.Struct, frozen=True):
    """wide: the C form, whose tag has four bytes."""

    item: Type
    wide: bool = False


class Vec(msgspec.Struct, frozen=True):
    item: Type


class Array(msgspec.Struct, frozen=True):
    """length: a number, or the name of a generic."""

    item: Type
    length: int | str


class Tuple(msgspec.Struct, frozen=True):
    items: tuple[Type, ...]


class Generic(msgspec.Struct, frozen=True):
    name: str


class Defined(msgspec.Struct, frozen=True):
    """generics: types, or for constants numbers or names of generics, in the type's order."""

    name: str
    generics: tuple[Type | int | str, ...] = ()


Type = Primitive | Option | Vec | Array | Tuple | Generic | Defined


class Field(msgspec.Struct, frozen=True):
    name: str
    type: Type


class Fields(msgspec.Struct, frozen=True):
    """Named, or by position: then their names are "0", "1", and so on."""

    named: bool
    items: tuple[Field, ...]


class Struct(msgspec.Struct, frozen=True):
    fields: Fields


class Variant(msgspec.Struct, frozen=True):
    name: str
    fields: Fields


class Enum(msgspec.Struct, frozen=True):
    variants: tuple[Variant, ...]


class Alias(msgspec.Struct, frozen=True):
    type: Type


class TypeDef(msgspec.Struct, frozen=True):
    name: str
    generics: tuple[str, ...]
    body: Struct | Enum | Alias


# ---- instructions


class ConstSeed(msgspec.Struct, frozen=True):
    value: bytes


class ArgSeed(msgspec.Struct, frozen=True):
    """path: of the argument and the fields within it."""

    path: tuple[str, ...]


class AccountSeed(msgspec.Struct, frozen=True):
    """path: account, and the fields of its data if there are more parts. account: its type."""

    path: tuple[str, ...]
    account: str


Seed = ConstSeed | ArgSeed | AccountSeed


class Pda(msgspec.Struct, frozen=True):
    """program None: the IDL's own program."""

    seeds: tuple[Seed, ...]
    program: Seed | None


class AccountItem(msgspec.Struct, frozen=True):
    name: str
    writable: bool
    signer: bool
    optional: bool
    address: str
    pda: Pda | None


class Instruction(msgspec.Struct, frozen=True):
    name: str
    discriminator: bytes
    accounts: tuple[AccountItem, ...]
    arguments: tuple[Field, ...]


class Record(msgspec.Struct, frozen=True):
    """An account or event: its type is the type definition of the same name."""

    name: str
    discriminator: bytes


class Idl(msgspec.Struct, frozen=True):
    """address "": the file names none."""

    name: str
    address: str
    instructions: Mapping[str, Instruction]
    accounts: Mapping[str, Record]
    events: Mapping[str, Record]
    types: Mapping[str, TypeDef]
    errors: Mapping[int, str] = msgspec.field(default_factory=dict)


def shown(value: Any) -> str:
    """A wrong value as it may stand in a message: short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
