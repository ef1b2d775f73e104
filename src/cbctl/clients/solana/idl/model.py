"""What an IDL says, in one form whichever kind of file it came from.

Names of instructions, arguments, accounts and fields are snake_case here; names of types and
enum variants are as in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cbctl.errors import CbctlError, Exit


class IdlError(CbctlError):
    """path: into the IDL or into the value, for example `arguments.config.fee_bps`."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}", exit=Exit.USAGE)
        self.path = path


# ---- types


@dataclass(frozen=True)
class Primitive:
    """bool, u8 to u256, i8 to i256, f32, f64, string, bytes, pubkey"""

    name: str


@dataclass(frozen=True)
class Option:
    """wide: the C form, whose tag has four bytes."""

    item: Type
    wide: bool = False


@dataclass(frozen=True)
class Vec:
    item: Type


@dataclass(frozen=True)
class Array:
    """length: a number, or the name of a generic."""

    item: Type
    length: int | str


@dataclass(frozen=True)
class Tuple:
    items: tuple[Type, ...]


@dataclass(frozen=True)
class Generic:
    name: str


@dataclass(frozen=True)
class Defined:
    """generics: types, or for constants numbers or names of generics, in the type's order."""

    name: str
    generics: tuple[Type | int | str, ...] = ()


Type = Primitive | Option | Vec | Array | Tuple | Generic | Defined


@dataclass(frozen=True)
class Field:
    name: str
    type: Type


@dataclass(frozen=True)
class Fields:
    """Named, or by position: then their names are "0", "1", and so on."""

    named: bool
    items: tuple[Field, ...]


@dataclass(frozen=True)
class Struct:
    fields: Fields


@dataclass(frozen=True)
class Variant:
    name: str
    fields: Fields


@dataclass(frozen=True)
class Enum:
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Alias:
    type: Type


@dataclass(frozen=True)
class TypeDef:
    name: str
    generics: tuple[str, ...]
    body: Struct | Enum | Alias


# ---- instructions


@dataclass(frozen=True)
class ConstSeed:
    value: bytes


@dataclass(frozen=True)
class ArgSeed:
    """path: of the argument and the fields within it."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class AccountSeed:
    """path: account, and the fields of its data if there are more parts. account: its type."""

    path: tuple[str, ...]
    account: str


Seed = ConstSeed | ArgSeed | AccountSeed


@dataclass(frozen=True)
class Pda:
    """program None: the IDL's own program."""

    seeds: tuple[Seed, ...]
    program: Seed | None


@dataclass(frozen=True)
class AccountItem:
    name: str
    writable: bool
    signer: bool
    optional: bool
    address: str
    pda: Pda | None


@dataclass(frozen=True)
class Instruction:
    name: str
    discriminator: bytes
    accounts: tuple[AccountItem, ...]
    arguments: tuple[Field, ...]


@dataclass(frozen=True)
class Record:
    """An account or event: its type is the type definition of the same name."""

    name: str
    discriminator: bytes


@dataclass(frozen=True)
class Idl:
    """address "": the file names none."""

    name: str
    address: str
    instructions: Mapping[str, Instruction]
    accounts: Mapping[str, Record]
    events: Mapping[str, Record]
    types: Mapping[str, TypeDef]
    errors: Mapping[int, str] = field(default_factory=dict)


def snake(name: str) -> str:
    """initializeProgram, InitializeProgram and initialize_program are one name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def shown(value: Any) -> str:
    """A wrong value as it may stand in a message: short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
