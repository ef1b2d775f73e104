"""Instructions as tables: which accounts they name in which order, and what their data holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from msgspec import UNSET

from cbctl.localnet.parsed.reader import Fields, Kind, Reader, Unparsable, fields, read_fields

T = TypeVar("T")


class Shape(NamedTuple):
    """One instruction.

    accounts   names in order; one that starts with
               `?` may be missing,
               `-` may be missing and is then shown as null,
               `@` is an authority: with further accounts behind it, it is a multisig and these are
               its signers (behind `|` is the name for that, where it is an odd one),
               `*` is the list of all that are left, `+` the same with at least one,
               `_` must be there and is not shown
    arguments  the data behind the tag
    """

    name: str
    accounts: tuple[str, ...]
    arguments: Fields


def shape(name: str, accounts: str = "", /, **arguments: Kind) -> Shape:
    """See Shape; account names are separated by spaces."""
    return Shape(name, tuple(accounts.split()), fields(**arguments))


def maybe(kind: Callable[[Reader], object]) -> Kind:
    """A value that is left out when there is none."""

    def read(reader: Reader) -> object:
        value = kind(reader)
        return UNSET if value is None else value

    return read


def read_shape(found: Shape, reader: Reader, accounts: list[str]) -> dict[str, object]:
    """`type` and `info`; Unparsable when data or accounts are too few."""
    info = {
        name: value
        for name, value in read_fields(reader, found.arguments).items()
        if value is not UNSET
    }
    info |= named_accounts(found.accounts, accounts)
    return {"type": found.name, "info": info} if info else {"type": found.name}


def named_accounts(names: tuple[str, ...], accounts: list[str]) -> dict[str, object]:
    """Accounts by name, see Shape."""
    shown: dict[str, object] = {}
    for index, name in enumerate(names):
        account = accounts[index] if index < len(accounts) else None
        mark, bare = (name[0], name[1:]) if name[0] in "?-@*+_" else ("", name)
        if account is None and mark not in ("?", "-", "*"):
            raise Unparsable(f"no account {name}")
        if mark == "@":
            shown |= _authority(bare, accounts[index:])
        elif mark in ("*", "+"):
            shown[bare] = accounts[index:]
        elif mark == "-" or (account is not None and mark != "_"):
            shown[bare] = account
    return shown


def _authority(names: str, accounts: list[str]) -> dict[str, object]:
    name, _, odd = names.partition("|")
    if len(accounts) == 1:
        return {name: accounts[0]}
    multisig = odd or f"multisig{name[0].upper()}{name[1:]}"
    return {multisig: accounts[0], "signers": accounts[1:]}


def find(table: dict[int, Shape], tag: int) -> Shape:
    """Unparsable for a tag that is not in the table."""
    found = table.get(tag)
    if found is None:
        raise Unparsable(f"no instruction {tag}")
    return found
