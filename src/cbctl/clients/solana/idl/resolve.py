"""The accounts of an instruction: given ones, fixed addresses, derived ones, well-known names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.borsh import Codec
from cbctl.clients.solana.idl.model import (
    AccountItem,
    AccountSeed,
    ArgSeed,
    Array,
    ConstSeed,
    Defined,
    Idl,
    IdlError,
    Instruction,
    Pda,
    Primitive,
    Seed,
    Struct,
    Type,
    Vec,
)
from cbctl.clients.solana.loader import programdata_address

WELL_KNOWN = {
    "system_program": "11111111111111111111111111111111",
    "rent": "SysvarRent111111111111111111111111111111111",
    "clock": "SysvarC1ock11111111111111111111111111111111",
    "token_program": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "associated_token_program": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "bpf_loader_upgradeable_program": "BPFLoaderUpgradeab1e11111111111111111111111",
}
"""Names that Anchor's own clients resolve when the IDL says nothing more."""

FieldOf = Callable[[Pubkey, str, tuple[str, ...]], Any]
"""(account, its type in the IDL, path) → value of a field of the account's data."""


def resolve(
    idl: Idl,
    program: Pubkey,
    instruction: Instruction,
    arguments: Mapping[str, Any],
    given: Mapping[str, Pubkey],
    field_of: FieldOf | None = None,
) -> dict[str, Pubkey]:
    """Address of every account by name; optional ones that are not given are left out.

    arguments  by snake_case name
    Errors: IdlError naming the first account without an address
    """
    names = {item.name for item in instruction.accounts}
    if unknown := sorted(set(given) - names):
        raise IdlError(f"accounts.{unknown[0]}", f"{instruction.name} has no such account")
    work = _Resolver(idl, program, instruction, arguments, dict(given), field_of)
    waiting = [item for item in instruction.accounts if item.name not in given]
    while waiting:
        left = [item for item in waiting if not work.place(item)]
        if len(left) == len(waiting):
            break
        waiting = left
    for item in waiting:
        if not item.optional:
            raise IdlError(
                f"accounts.{item.name}",
                f"{instruction.name} needs it, and the IDL does not say where it is; give it",
            )
    return work.found


class _Resolver:
    def __init__(
        self,
        idl: Idl,
        program: Pubkey,
        instruction: Instruction,
        arguments: Mapping[str, Any],
        found: dict[str, Pubkey],
        field_of: FieldOf | None,
    ) -> None:
        self._idl, self._program, self._instruction = idl, program, instruction
        self._arguments, self.found, self._field_of = arguments, found, field_of
        self._codec = Codec(idl.types)

    def place(self, item: AccountItem) -> bool:
        address = self._address(item)
        if address is not None:
            self.found[item.name] = address
        return address is not None

    def _address(self, item: AccountItem) -> Pubkey | None:
        if item.address:
            return self._own(bytes(Pubkey.from_string(item.address)))
        if item.pda is not None:
            return self._derived(item.pda, f"accounts.{item.name}")
        if item.signer or item.optional:
            return None
        if item.name == "program_data":
            return programdata_address(self._program)
        if item.name == "program":
            return self._program
        known = WELL_KNOWN.get(item.name)
        return None if known is None else Pubkey.from_string(known)

    def _own(self, key: bytes) -> Pubkey:
        """An IDL made for another deployment of the same program: its id stands for this one's."""
        if self._idl.address and key == bytes(Pubkey.from_string(self._idl.address)):
            return self._program
        return Pubkey.from_bytes(key)

    def _derived(self, pda: Pda, path: str) -> Pubkey | None:
        seeds = []
        for index, seed in enumerate(pda.seeds):
            raw = self._seed(seed, f"{path}.seeds[{index}]")
            if raw is None:
                return None  # needs an account that is not known yet
            seeds.append(raw)
        program = self._program
        if pda.program is not None:
            raw = self._seed(pda.program, f"{path}.program")
            if raw is None:
                return None
            program = self._own(raw)
        return Pubkey.find_program_address(seeds, program)[0]

    def _seed(self, seed: Seed, path: str) -> bytes | None:
        if isinstance(seed, ConstSeed):
            is_key = len(seed.value) == 32
            return bytes(self._own(seed.value)) if is_key else seed.value
        if isinstance(seed, ArgSeed):
            return self._argument(seed, path)
        return self._account(seed, path)

    def _argument(self, seed: ArgSeed, path: str) -> bytes:
        value: Any = dict(self._arguments)
        kind: Type | None = None
        fields = {field.name: field.type for field in self._instruction.arguments}
        for part in seed.path:
            if part not in fields or not isinstance(value, Mapping) or part not in value:
                raise IdlError(path, f"there is no argument {'.'.join(seed.path)}")
            kind, value = fields[part], value[part]
            fields = self._fields(kind)
        if kind is None:
            raise IdlError(path, "an argument seed without a path")
        return self._bytes(kind, value, path)

    def _account(self, seed: AccountSeed, path: str) -> bytes | None:
        address = self.found.get(seed.path[0])
        if address is None or len(seed.path) == 1:
            return None if address is None else bytes(address)
        if self._field_of is None:
            raise IdlError(path, f"needs the data of {seed.path[0]}")
        value = self._field_of(address, seed.account, seed.path[1:])
        kind: Type | None = Defined(seed.account)
        for part in seed.path[1:]:
            kind = self._fields(kind).get(part) if kind is not None else None
        if kind is None:
            raise IdlError(path, f"{seed.account} has no field {'.'.join(seed.path[1:])}")
        return self._bytes(kind, value, path)

    def _fields(self, kind: Type) -> dict[str, Type]:
        if isinstance(kind, Defined) and kind.name in self._idl.types:
            body = self._idl.types[kind.name].body
            if isinstance(body, Struct):
                return {field.name: field.type for field in body.fields.items}
        return {}

    def _bytes(self, kind: Type, value: Any, path: str) -> bytes:
        """A seed is the value's bytes without the length that Borsh puts before them."""
        raw = self._codec.encode(kind, value, path)
        prefixed = isinstance(kind, Vec) or kind in (Primitive("string"), Primitive("bytes"))
        return raw[4:] if prefixed and not isinstance(kind, Array) else raw
