"""Positional parameters of a call, checked by type. Messages: agave, jsonrpc-core and -derive."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct
from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature

from cbctl.localnet.encoding import b58decode
from cbctl.localnet.errors import (
    INVALID_PARAMS,
    MIN_CONTEXT_SLOT_NOT_REACHED,
    RpcError,
    invalid_params,
)

T = TypeVar("T")

# msgspec knows no bound above an i64; what is handed to the VM is checked with `MAX_U64`.
U64 = Annotated[int, Meta(ge=0)]
MAX_U64 = 2**64 - 1
Commitment = Literal["processed", "confirmed", "finalized"]
AccountEncoding = Literal["binary", "base58", "base64", "base64+zstd", "jsonParsed"]
TransactionEncoding = Literal["binary", "base58", "base64", "json", "jsonParsed"]
WireEncoding = Literal["binary", "base58", "base64"]

# What 32 and 64 bytes are at most in base58; more is wrong, not slow.
_KEY_CHARACTERS = 44
_SIGNATURE_CHARACTERS = 88


class ContextConfig(Struct, rename="camel"):
    """The configuration object that almost every method takes."""

    commitment: Commitment | None = None
    min_context_slot: U64 | None = None


class DataSlice(Struct):
    """The part of an account's data to return."""

    offset: U64
    length: U64


class Params:
    """The `params` member: a list, or left out."""

    def __init__(self, values: object) -> None:
        if values is UNSET or values is None:
            values = []
        if not isinstance(values, list):
            raise invalid_params("`params` should be an array")
        self._values: list[object] = values

    def expect(self, least: int, most: int) -> None:
        """Refuses too few, and those that nobody would read."""
        count = len(self._values)
        if least <= count <= most:
            return
        if most == 0:
            raise invalid_params("Invalid parameters: No parameters were expected")
        if least == most:
            length = f"invalid length {count}, expected a tuple of size {most}"
            raise invalid_params(f"Invalid params: {length}.")
        if count < least:
            raise invalid_params(f"`params` should have at least {least} argument(s)")
        expected = f"Invalid parameters: Expected from {least} to {most} parameters."
        raise RpcError(INVALID_PARAMS, expected, f'"Got: {count}"')

    def required(self, index: int, kind: type[T]) -> T:
        """The parameter at `index`, of which `expect` has said that it is there."""
        return convert(self._values[index], kind)

    def optional(self, index: int, kind: type[T]) -> T | None:
        """As `required`; None when left out or null."""
        if index >= len(self._values) or self._values[index] is None:
            return None
        return convert(self._values[index], kind)

    def config(self, index: int, kind: type[T]) -> T:
        """The configuration object at `index`, or one with defaults."""
        found = self.optional(index, kind)
        return kind() if found is None else found

    def encoding_or_config(self, index: int, kind: type[T]) -> T:
        """As `config`; older clients send the encoding as a bare string."""
        value = self.optional(index, object)
        return convert({"encoding": value} if isinstance(value, str) else value or {}, kind)

    def pubkey(self, index: int) -> Pubkey:
        """A required address."""
        return to_pubkey(self.required(index, str))


_NAMES = {str: "a string", list: "a sequence", dict: "a map", bool: "a boolean"}


def convert(value: object, kind: type[T]) -> T:
    """A value as another type; -32602 when it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        expected = "u64" if kind is U64 else _NAMES.get(kind)
        reason = f"invalid type: {_seen(value)}, expected {expected}" if expected else str(error)
        raise invalid_params(f"Invalid params: {reason}.") from None


def _seen(value: object) -> str:
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    if isinstance(value, str):
        return f'string "{value[:100]}"'
    return "null" if value is None else "sequence" if isinstance(value, list) else "map"


def to_pubkey(text: str) -> Pubkey:
    """-32602 unless the text is an address."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise invalid_params(f"Invalid param: {_fault(text, _KEY_CHARACTERS)}") from None


def to_hash(text: str) -> Hash:
    """-32602 unless the text is a blockhash."""
    try:
        return Hash.from_string(text)
    except ParseHashError:
        raise invalid_params(_fault(text, _KEY_CHARACTERS)) from None


def to_signature(text: str) -> str:
    """The signature in its one spelling; -32602 unless it is one."""
    try:
        return str(Signature.from_string(text))
    except ValueError:
        raise invalid_params(f"Invalid param: {_fault(text, _SIGNATURE_CHARACTERS)}") from None


def _fault(text: str, characters: int) -> str:
    """Why a text is no address, hash or signature, in the words of the error's name."""
    if len(text) <= characters:
        try:
            b58decode(text)
        except ValueError:
            return "Invalid"
    return "WrongSize"


def check_context(slot: int, min_context_slot: int | None) -> None:
    """-32016 when the chain has not reached the slot that the client has seen elsewhere."""
    if min_context_slot is not None and slot < min_context_slot:
        raise RpcError(
            MIN_CONTEXT_SLOT_NOT_REACHED,
            "Minimum context slot has not been reached",
            {"contextSlot": slot},
        )


def at_least_confirmed(commitment: Commitment | None) -> Commitment:
    """The commitment, "finalized" where none is said; -32602 for "processed"."""
    if commitment == "processed":
        raise invalid_params("Method does not support commitment below `confirmed`")
    return commitment or "finalized"


def too_many(most: int) -> RpcError:
    """Of a list of addresses or signatures."""
    return invalid_params(f"Too many inputs provided; max {most}")
