"""Positional parameters of a call, checked by type."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from cbctl.localnet.encoding import b58decode
from cbctl.localnet.errors import MIN_CONTEXT_SLOT_NOT_REACHED, RpcError, invalid_params

T = TypeVar("T")

# msgspec knows no bound above an i64; what is handed to the VM is checked with `MAX_U64`.
U64 = Annotated[int, Meta(ge=0)]
MAX_U64 = 2**64 - 1
Commitment = Literal["processed", "confirmed", "finalized"]
AccountEncoding = Literal["binary", "base58", "base64", "base64+zstd", "jsonParsed"]
TransactionEncoding = Literal["binary", "base58", "base64", "json", "jsonParsed"]
WireEncoding = Literal["base58", "base64"]


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

    def at_most(self, count: int) -> None:
        """Refuses parameters that nobody would read."""
        if len(self._values) > count:
            raise invalid_params(f"expected at most {count} params, got {len(self._values)}")

    def required(self, index: int, name: str, kind: type[T]) -> T:
        """The parameter at `index`; -32602 when missing or of another type."""
        if index >= len(self._values):
            raise invalid_params(f"missing `{name}`, the params array has no element {index}")
        return _convert(self._values[index], name, kind)

    def optional(self, index: int, name: str, kind: type[T]) -> T | None:
        """As `required`; None when left out or null."""
        if index >= len(self._values) or self._values[index] is None:
            return None
        return _convert(self._values[index], name, kind)

    def config(self, index: int, kind: type[T]) -> T:
        """The configuration object at `index`, or one with defaults."""
        found = self.optional(index, "config", kind)
        return kind() if found is None else found

    def convert(self, value: object, name: str, kind: type[T]) -> T:
        """A value as another type; -32602 when it does not fit."""
        return _convert(value, name, kind)

    def pubkey(self, index: int, name: str = "pubkey") -> Pubkey:
        """A required address."""
        return to_pubkey(self.required(index, name, str))


def _convert(value: object, name: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise invalid_params(f"{name}: {error}") from None


def to_pubkey(text: str) -> Pubkey:
    """-32602 unless the text is 32 bytes of base58."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise invalid_params("Invalid") from None


def to_hash(text: str) -> Hash:
    """-32602 unless the text is a blockhash."""
    try:
        return Hash(b58decode(text[:45]))  # 44 characters at most; more is wrong, not slow
    except ValueError:
        raise invalid_params("Invalid") from None


def to_signature(text: str) -> str:
    """The signature in its one spelling; -32602 unless it is 64 bytes of base58."""
    try:
        return str(Signature.from_string(text))
    except ValueError:
        raise invalid_params("Invalid") from None


def check_context(slot: int, min_context_slot: int | None) -> None:
    """-32016 when the chain has not reached the slot that the client has seen elsewhere."""
    if min_context_slot is not None and slot < min_context_slot:
        raise RpcError(
            MIN_CONTEXT_SLOT_NOT_REACHED,
            "Minimum context slot has not been reached",
            {"contextSlot": slot},
        )


__all__ = [
    "MAX_U64",
    "U64",
    "UNSET",
    "AccountEncoding",
    "Commitment",
    "ContextConfig",
    "DataSlice",
    "Params",
    "TransactionEncoding",
    "UnsetType",
    "WireEncoding",
    "check_context",
    "to_hash",
    "to_pubkey",
    "to_signature",
]
