"""Signed transactions as bytes and as values: limits, versions, keys, fees.

Limits: agave, rpc/src/rpc.rs `decode_and_deserialize` and packet size; 4,096 bytes for version 1
(SIMD-0385).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash
from solders.message import Message, MessageV0, MessageV1, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

MAX_LEGACY_BYTES = 1_232
MAX_V1_BYTES = 4_096

LAMPORTS_PER_SIGNATURE = 5_000
_MAX_UNITS = 1_400_000
_UNITS_PER_INSTRUCTION = 200_000
_UNITS_PER_BUILTIN = 3_000  # SIMD-0170

SLOT_HASHES = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")
_TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_SLOT_HASHES_READERS = {_TABLE_PROGRAM, SLOT_HASHES}
_TABLE_META_BYTES = 56  # address-lookup-table-interface, LOOKUP_TABLE_META_SIZE

VOTE_PROGRAM = Pubkey.from_string("Vote111111111111111111111111111111111111111")

_BUILTINS = {
    COMPUTE_BUDGET,
    Pubkey.from_string("11111111111111111111111111111111"),
    VOTE_PROGRAM,
    Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"),
    Pubkey.from_string("LoaderV411111111111111111111111111111111111"),
}
# Each signature that a precompile checks costs as many lamports as one of the transaction's own,
# and so many units of a block.
PRECOMPILES = {
    Pubkey.from_string("Ed25519SigVerify111111111111111111111111111"): 2_400,
    Pubkey.from_string("KeccakSecp256k11111111111111111111111111111"): 6_690,
    Pubkey.from_string("Secp256r1SigVerify1111111111111111111111111"): 4_800,
}

AnyMessage = Message | MessageV0 | MessageV1


class Loaded(NamedTuple):
    """Addresses that a v0 message takes from lookup tables."""

    writable: list[Pubkey]
    readonly: list[Pubkey]


def version_of(message: AnyMessage) -> str | int:
    """ "legacy", 0 or 1, as `getTransaction` says it."""
    if isinstance(message, Message):
        return "legacy"
    return 0 if isinstance(message, MessageV0) else 1


def max_bytes(raw: bytes) -> int:
    """The size limit of a transaction; a version 1 transaction starts with byte 0x81."""
    return MAX_V1_BYTES if raw[:1] == b"\x81" else MAX_LEGACY_BYTES


def parse_transaction(raw: bytes) -> VersionedTransaction:
    """ValueError when the bytes are not exactly one sane transaction."""
    transaction = VersionedTransaction.from_bytes(raw)
    if bytes(transaction) != raw:
        raise ValueError("bytes left over after the transaction")
    try:
        transaction.sanitize()
    except SanitizeError as error:
        raise ValueError(str(error)) from None
    if not transaction.signatures:
        raise ValueError("no signature")
    return transaction


def parse_message(raw: bytes) -> AnyMessage:
    """ValueError when the bytes are not a message."""
    message = from_bytes_versioned(raw)
    if to_bytes_versioned(message) != raw:
        raise ValueError("bytes left over after the message")
    unsigned = [Signature.default()] * message.header.num_required_signatures
    try:
        VersionedTransaction.populate(message, unsigned).sanitize()
    except SanitizeError as error:
        raise ValueError(str(error)) from None
    return message


def writable_keys(message: AnyMessage, keys: Sequence[Pubkey], loaded: Loaded) -> list[Pubkey]:
    """The accounts that a transaction may change; `keys` starts with the message's own."""
    header = message.header
    signers = header.num_required_signatures
    static = len(message.account_keys)
    signed = keys[: signers - header.num_readonly_signed_accounts]
    unsigned = keys[signers : static - header.num_readonly_unsigned_accounts]
    return [*signed, *unsigned, *loaded.writable]


def is_simple_vote(transaction: VersionedTransaction) -> bool:
    """A vote as validators send it (agave, transaction-view and `is_simple_vote_tx`)."""
    message = transaction.message
    if not isinstance(message, Message) or len(transaction.signatures) > 2:
        return False
    instructions = message.instructions
    return (
        len(instructions) == 1
        and message.account_keys[instructions[0].program_id_index] == VOTE_PROGRAM
    )


def table_lookup(table: bytes, indexes: bytes) -> list[Pubkey]:
    """Addresses out of a lookup table account; short tables give what they have."""
    keys = []
    for index in indexes:
        start = _TABLE_META_BYTES + 32 * index
        if start + 32 <= len(table):
            keys.append(Pubkey.from_bytes(table[start : start + 32]))
    return keys


def with_blockhash(transaction: VersionedTransaction, blockhash: Hash) -> VersionedTransaction:
    """The transaction with another blockhash; its signatures no longer fit."""
    old = transaction.message
    keys: list[Pubkey] = list(old.account_keys)
    message: AnyMessage
    if isinstance(old, MessageV1):
        message = MessageV1(old.header, old.config, blockhash, keys, old.instructions)
    elif isinstance(old, MessageV0):
        lookups = old.address_table_lookups
        message = MessageV0(old.header, keys, blockhash, old.instructions, lookups)
    else:
        header = old.header
        message = Message.new_with_compiled_instructions(
            header.num_required_signatures,
            header.num_readonly_signed_accounts,
            header.num_readonly_unsigned_accounts,
            keys,
            blockhash,
            old.instructions,
        )
    return VersionedTransaction.populate(message, transaction.signatures)


def uses_slot_hashes(message: AnyMessage, keys: Sequence[Pubkey]) -> bool:
    """Whether running this message can read the SlotHashes sysvar."""
    tables = isinstance(message, MessageV0) and message.address_table_lookups
    return bool(tables) or not _SLOT_HASHES_READERS.isdisjoint(keys)


class Budget(NamedTuple):
    """What a message asks for and offers.

    signatures   that it pays for, those checked by precompiles included
    unit_limit   compute units at most
    priority     lamports above the fee for its signatures
    """

    signatures: int
    unit_limit: int
    priority: int

    @property
    def fee(self) -> int:
        """Lamports that landing costs."""
        return self.signatures * LAMPORTS_PER_SIGNATURE + self.priority

    @property
    def unit_price(self) -> int:
        """Micro-lamports for each compute unit, as paid."""
        return self.priority * 1_000_000 // self.unit_limit if self.unit_limit else 0


def budget_of(message: AnyMessage) -> Budget:
    """Signatures, limit and priority of a message (agave, fee and compute-budget)."""
    keys = message.account_keys
    signatures = message.header.num_required_signatures
    price = 0
    limit: int | None = None
    default_limit = 0
    for instruction in message.instructions:
        program = keys[instruction.program_id_index]
        data = bytes(instruction.data)
        if program in PRECOMPILES:
            signatures += data[0] if data else 0
        elif program == COMPUTE_BUDGET and len(data) >= 5 and data[0] == 2:
            limit = int.from_bytes(data[1:5], "little")
        elif program == COMPUTE_BUDGET and len(data) >= 9 and data[0] == 3:
            price = int.from_bytes(data[1:9], "little")
        default_limit += _UNITS_PER_BUILTIN if program in _BUILTINS else _UNITS_PER_INSTRUCTION
    if isinstance(message, MessageV1):
        config = message.config
        return Budget(signatures, config.compute_unit_limit or 0, config.priority_fee or 0)
    units = min(default_limit if limit is None else limit, _MAX_UNITS)
    return Budget(signatures, units, -(-price * units // 1_000_000))
