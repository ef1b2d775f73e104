"""Methods that read accounts. Limits and messages: agave, rpc/src/rpc.rs and filter.rs."""

from __future__ import annotations

from msgspec import Struct
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.bank import Bank
from cbctl.localnet.encoding import MAX_BASE58_BYTES, account_data, b58decode, b64decode
from cbctl.localnet.errors import INVALID_REQUEST, RpcError, invalid_params
from cbctl.localnet.rpc.cluster import with_context
from cbctl.localnet.rpc.params import (
    MAX_U64,
    U64,
    AccountEncoding,
    Commitment,
    ContextConfig,
    DataSlice,
    Params,
    check_context,
    to_pubkey,
)
from cbctl.localnet.rpc.room import Room

MAX_ACCOUNTS = 100
MAX_FILTERS = 4
MAX_MEMCMP_BYTES = 128

# Rent is never collected, which validators say with this number.
_RENT_EPOCH = 2**64 - 1


class AccountConfig(Struct, rename="camel"):
    """How accounts are to be returned."""

    encoding: AccountEncoding | None = None
    commitment: Commitment | None = None
    data_slice: DataSlice | None = None
    min_context_slot: U64 | None = None


class Memcmp(Struct):
    """Bytes that must stand at an offset."""

    offset: U64
    bytes: str | list[int]
    encoding: str | None = None


class Filter(Struct, rename="camel"):
    """One of the two kinds."""

    data_size: U64 | None = None
    memcmp: Memcmp | None = None


class ProgramAccountsConfig(Struct, rename="camel"):
    """AccountConfig with filters."""

    encoding: AccountEncoding | None = None
    commitment: Commitment | None = None
    data_slice: DataSlice | None = None
    min_context_slot: U64 | None = None
    filters: list[Filter] | None = None
    with_context: bool | None = None
    sort_results: bool | None = None


def ui_account(
    account: Account | None,
    encoding: str | None,
    room: Room,
    data_slice: DataSlice | None = None,
) -> object:
    """An account as the RPC shows it, or null.

    room  of the whole answer: a list of accounts is not made any longer than it may be
    """
    if encoding == "base64+zstd":
        raise invalid_params("localnet does not serve base64+zstd, ask for base64")
    if account is None:
        return None
    data = bytes(account.data)
    space = len(data)
    if data_slice is not None:
        data = data[data_slice.offset : data_slice.offset + data_slice.length]
    room.take_account(len(data))
    encoding = encoding or "binary"
    if encoding in ("binary", "base58") and len(data) > MAX_BASE58_BYTES:
        raise RpcError(
            INVALID_REQUEST,
            f"Encoded binary (base 58) data should be less than {MAX_BASE58_BYTES} bytes, "
            "please use Base64 encoding.",
        )
    return {
        "lamports": account.lamports,
        "data": account_data(data, encoding),
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": _RENT_EPOCH,
        "space": space,
    }


def get_balance(bank: Bank, params: Params) -> object:
    params.at_most(2)
    address = params.pubkey(0)
    check_context(bank.slot, params.config(1, ContextConfig).min_context_slot)
    return with_context(bank, bank.vm.balance(address))


def get_account_info(bank: Bank, params: Params) -> object:
    params.at_most(2)
    address = params.pubkey(0)
    config = params.config(1, AccountConfig)
    check_context(bank.slot, config.min_context_slot)
    account = bank.vm.account(address)
    return with_context(bank, ui_account(account, config.encoding, Room(), config.data_slice))


def get_multiple_accounts(bank: Bank, params: Params) -> object:
    params.at_most(2)
    texts = params.required(0, "pubkeys", list[str])
    if len(texts) > MAX_ACCOUNTS:
        raise invalid_params(f"Too many inputs provided; max {MAX_ACCOUNTS}")
    addresses = [to_pubkey(text) for text in texts]
    config = params.config(1, AccountConfig)
    check_context(bank.slot, config.min_context_slot)
    encoding, room = config.encoding or "base64", Room()
    return with_context(
        bank,
        [ui_account(bank.vm.account(key), encoding, room, config.data_slice) for key in addresses],
    )


def get_program_accounts(bank: Bank, params: Params) -> object:
    params.at_most(2)
    program = params.pubkey(0)
    config = params.config(1, ProgramAccountsConfig)
    check_context(bank.slot, config.min_context_slot)
    matches, room = Matcher(config.filters or []), Room()
    found = [
        {
            "pubkey": str(key),
            "account": ui_account(account, config.encoding, room, config.data_slice),
        }
        for key, account in bank.vm.program_accounts(program)
        if matches(account)
    ]
    return with_context(bank, found) if config.with_context else found


class Matcher:
    """Whether an account passes every filter."""

    def __init__(self, filters: list[Filter]) -> None:
        if len(filters) > MAX_FILTERS:
            raise invalid_params(f"Too many filters provided; max {MAX_FILTERS}")
        self._size: list[int] = []
        self._bytes: list[tuple[int, bytes]] = []
        for item in filters:
            if item.memcmp is not None:
                self._bytes.append((item.memcmp.offset, _memcmp_bytes(item.memcmp)))
            elif item.data_size is not None:
                self._size.append(item.data_size)
            else:
                raise invalid_params("a filter is {dataSize} or {memcmp}")

    def __call__(self, account: Account) -> bool:
        data = account.data
        return all(len(data) == size for size in self._size) and all(
            data[offset : offset + len(wanted)] == wanted for offset, wanted in self._bytes
        )


def _memcmp_bytes(memcmp: Memcmp) -> bytes:
    if len(memcmp.bytes) > 2 * MAX_MEMCMP_BYTES:
        raise invalid_params(f"memcmp: more than {MAX_MEMCMP_BYTES} bytes")
    try:
        if isinstance(memcmp.bytes, list):
            wanted = bytes(memcmp.bytes)
        elif memcmp.encoding in (None, "base58", "binary"):
            wanted = b58decode(memcmp.bytes)
        elif memcmp.encoding == "base64":
            wanted = b64decode(memcmp.bytes)
        else:
            raise ValueError(f"unknown encoding {memcmp.encoding}")
    except ValueError as error:
        raise invalid_params(f"memcmp: {error}") from None
    if len(wanted) > MAX_MEMCMP_BYTES:
        raise invalid_params(f"memcmp: more than {MAX_MEMCMP_BYTES} bytes")
    return wanted


def request_airdrop(bank: Bank, params: Params) -> object:
    params.at_most(3)
    to: Pubkey = params.pubkey(0)
    lamports = params.required(1, "lamports", U64)
    if lamports > MAX_U64:
        raise invalid_params("lamports: not a u64")
    params.config(2, ContextConfig)
    return bank.airdrop(to, lamports)
