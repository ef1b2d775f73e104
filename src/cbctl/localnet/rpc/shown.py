"""An account as the RPC shows it. Limits and messages: agave, rpc/src/rpc.rs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.bank import Bank
from cbctl.localnet.encoding import MAX_BASE58_BYTES, account_data
from cbctl.localnet.errors import INVALID_REQUEST, RpcError
from cbctl.localnet.parsed.accounts import parse_account
from cbctl.localnet.rpc.params import U64, AccountEncoding, Commitment, DataSlice
from cbctl.localnet.rpc.room import Room

# Rent is never collected, which validators say with this number.
_RENT_EPOCH = 2**64 - 1
_SYSVARS = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")


class AccountConfig(Struct, rename="camel"):
    """How accounts are to be returned."""

    encoding: AccountEncoding | None = None
    commitment: Commitment | None = None
    data_slice: DataSlice | None = None
    min_context_slot: U64 | None = None


class Shower:
    """Shows accounts in one encoding, within the room of one answer.

    account_of  finds the mints of token accounts; the bank's accounts unless told otherwise
    """

    def __init__(
        self,
        bank: Bank,
        encoding: AccountEncoding,
        data_slice: DataSlice | None = None,
        account_of: Callable[[Pubkey], Account | None] | None = None,
    ) -> None:
        self._bank = bank
        self._encoding = encoding
        self._slice = data_slice
        self._account_of = account_of or bank.vm.account
        self._room = Room()

    def show(self, address: Pubkey, account: Account | None) -> dict[str, object] | None:
        """The account, or null; RpcError when it is too long for the encoding or for the room."""
        if account is None:
            return None
        data = whole = account.data
        if self._slice is not None:
            data = data[self._slice.offset : self._slice.offset + self._slice.length]
        parsed = None
        if self._encoding == "jsonParsed":
            bits = 8 if account.owner == _SYSVARS else 1  # one shows each of its bits
            self._room.take_account(len(whole) * bits)
            parsed = parse_account(address, account, self._account_of, self._bank.unix_time)
        else:
            self._room.take_account(len(data))
        if self._encoding in ("binary", "base58") and len(data) > MAX_BASE58_BYTES:
            raise RpcError(
                INVALID_REQUEST,
                f"Encoded binary (base 58) data should be less than {MAX_BASE58_BYTES} bytes, "
                "please use Base64 encoding.",
            )
        return {
            "lamports": account.lamports,
            "data": account_data(data, self._encoding) if parsed is None else parsed,
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": _RENT_EPOCH,
            "space": len(whole),
        }

    def keyed(self, found: list[tuple[Pubkey, Account]]) -> list[dict[str, object]]:
        """Accounts with their addresses."""
        return [{"pubkey": str(key), "account": self.show(key, account)} for key, account in found]
