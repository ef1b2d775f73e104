"""A program seen through its IDL: instructions to send, accounts, events and errors to read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from solders.instruction import AccountMeta
from solders.instruction import Instruction as Wire
from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.borsh import Codec
from cbctl.clients.solana.idl.model import (
    Defined,
    Fields,
    Idl,
    IdlError,
    Instruction,
    Record,
    Struct,
    Type,
    snake,
)
from cbctl.clients.solana.idl.parse import parse
from cbctl.clients.solana.idl.resolve import FieldOf, resolve


@dataclass(frozen=True)
class Event:
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Leaf:
    """One argument field: its path, beginning with the argument's name."""

    path: tuple[str, ...]
    type: Type
    value: Any


class Program:
    """address: of this deployment; the IDL's own address need not be it."""

    def __init__(self, idl: Idl, address: Pubkey) -> None:
        self.idl, self.address = idl, address
        self._codec = Codec(idl.types)

    @classmethod
    def from_text(cls, text: str, address: Pubkey) -> Program:
        return cls(parse(text), address)

    # ---- instructions

    def instruction(self, name: str) -> Instruction:
        found = self.idl.instructions.get(snake(name))
        if found is None:
            known = ", ".join(self.idl.instructions) or "none"
            raise IdlError("instruction", f"the IDL has no {name}; there are {known}")
        return found

    def canonical(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they would be read back: checked, named as in the IDL, numbers whole."""
        found = self.instruction(name)
        raw, at = self._encode(found, arguments), 0
        values = {}
        for field in found.arguments:
            path = f"arguments.{field.name}"
            values[field.name], at = self._codec.decode(field.type, raw, at, path)
        return values

    def leaves(self, name: str, values: Mapping[str, Any]) -> Iterator[Leaf]:
        """The canonical arguments field by field; structs are gone into, all else is one leaf."""
        for field in self.instruction(name).arguments:
            yield from self._leaves((field.name,), field.type, values[field.name])

    def _leaves(self, path: tuple[str, ...], kind: Type, value: Any) -> Iterator[Leaf]:
        body = self.idl.types[kind.name].body if isinstance(kind, Defined) else None
        if isinstance(body, Struct) and body.fields.named:
            for field in body.fields.items:
                yield from self._leaves((*path, field.name), field.type, value[field.name])
        else:
            yield Leaf(path, kind, value)

    def accounts(
        self,
        name: str,
        arguments: Mapping[str, Any],
        given: Mapping[str, Pubkey],
        field_of: FieldOf | None = None,
    ) -> dict[str, Pubkey]:
        """Every account's address by name (see `resolve`)."""
        values = self.canonical(name, arguments)
        found = self.instruction(name)
        return resolve(self.idl, self.address, found, values, given, field_of)

    def build(
        self,
        name: str,
        arguments: Mapping[str, Any],
        accounts: Mapping[str, Pubkey],
    ) -> Wire:
        """The instruction ready to be signed; `accounts` as `accounts()` gives them."""
        found = self.instruction(name)
        metas = []
        for item in found.accounts:
            address = accounts.get(item.name)
            if address is None:  # Anchor's sign for "not there": the program itself
                metas.append(AccountMeta(self.address, False, False))
            else:
                metas.append(AccountMeta(address, item.signer, item.writable))
        data = found.discriminator + self._encode(found, arguments)
        return Wire(self.address, data, metas)

    def _encode(self, instruction: Instruction, arguments: Mapping[str, Any]) -> bytes:
        fields = Fields(named=True, items=instruction.arguments)
        return self._codec.encode_fields(fields, arguments, "arguments")

    # ---- what is on chain

    def account_type(self, name: str) -> Record:
        for record in self.idl.accounts.values():
            if snake(record.name) == snake(name):
                return record
        known = ", ".join(self.idl.accounts) or "none"
        raise IdlError("account", f"the IDL has no account type {name}; there are {known}")

    def decode(self, name: str, data: bytes) -> dict[str, Any]:
        """The fields of an account. Errors: IdlError when it is of another type or cut off."""
        record = self.account_type(name)
        if not data.startswith(record.discriminator):
            raise IdlError(record.name, "the account is of another type")
        return self._record(record, data)

    def events(self, logs: Iterable[str]) -> Iterator[Event]:
        """Events that this program, and no other that it calls, wrote into a transaction's log.

        A log that was truncated ends early without an error: a gap in the program's own sequence
        numbers shows it.
        """
        stack: list[str] = []
        own = str(self.address)
        for line in logs:
            words = line.split()
            if len(words) >= 3 and words[0] == "Program" and words[2] == "invoke":
                stack.append(words[1])
            elif len(words) >= 3 and words[0] == "Program" and words[2] in ("success", "failed:"):
                if stack:
                    stack.pop()
            elif line.startswith("Program data: ") and stack and stack[-1] == own:
                found = self._event(words[2])
                if found is not None:
                    yield found

    def _event(self, text: str) -> Event | None:
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            return None  # data of the program's that is no event
        for record in self.idl.events.values():
            if data.startswith(record.discriminator):
                return Event(record.name, self._record(record, data))
        return None

    def _record(self, record: Record, data: bytes) -> dict[str, Any]:
        start = len(record.discriminator)
        value, _ = self._codec.decode(Defined(record.name), data, start, record.name)
        if not isinstance(value, dict):
            raise IdlError(record.name, "is not a struct")
        return value
