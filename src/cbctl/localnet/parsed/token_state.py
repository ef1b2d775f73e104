"""Mints, token accounts and multisigs of both token programs."""

from __future__ import annotations

from collections.abc import Callable

from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.parsed.amounts import Interest, MintTerms, Scale, ui_amount
from cbctl.localnet.parsed.extensions import extensions, shown_extensions
from cbctl.localnet.parsed.reader import Reader, Unparsable, pick
from cbctl.localnet.tokens import (
    ACCOUNT_BYTES,
    DECIMALS_OFFSET,
    MINT_BYTES,
    MULTISIG_BYTES,
    NATIVE_DECIMALS,
    NATIVE_MINT,
    holds_mint,
    holds_token_account,
    mint_of,
)

ACCOUNT_STATES = ("uninitialized", "initialized", "frozen")
_INTEREST_BEARING = 10
_SCALED_UI_AMOUNT = 25


def mint_terms(data: bytes) -> MintTerms:
    """What amounts of a mint depend on; Unparsable when this is no mint."""
    if not holds_mint(data):
        raise Unparsable("not a mint")
    interest = scale = None
    for kind, value in extensions(data):
        reader = Reader(value)
        if kind == _INTEREST_BEARING:
            reader.take(32)
            interest = Interest(reader.i64(), reader.i16(), reader.i64(), reader.i16())
        elif kind == _SCALED_UI_AMOUNT:
            reader.take(32)
            scale = Scale(reader.f64(), reader.i64(), reader.f64())
    return MintTerms(data[DECIMALS_OFFSET], interest, scale)


def terms_of(mint: Pubkey, account_of: Callable[[Pubkey], Account | None]) -> MintTerms | None:
    """The terms of a mint by its address; None when there is no such mint."""
    if mint == NATIVE_MINT:
        return MintTerms(NATIVE_DECIMALS)
    account = account_of(mint)
    try:
        return None if account is None else mint_terms(account.data)
    except Unparsable:
        return None


def parse_token_state(
    data: bytes, account_of: Callable[[Pubkey], Account | None], now: int
) -> dict[str, object]:
    """Unparsable when the bytes are none of the three, or when an account's mint is unknown."""
    if holds_token_account(data):
        terms = terms_of(mint_of(data), account_of)
        if terms is None:
            raise Unparsable("no mint")
        return {"type": "account", "info": _token_account(data, terms, now)}
    if holds_mint(data):
        return {"type": "mint", "info": _mint(data)}
    if len(data) == MULTISIG_BYTES:
        return {"type": "multisig", "info": _multisig(data)}
    raise Unparsable("no token state")


def _token_account(data: bytes, terms: MintTerms, now: int) -> dict[str, object]:
    reader = Reader(data[:ACCOUNT_BYTES])
    info: dict[str, object] = {"mint": reader.key(), "owner": reader.key()}
    info["tokenAmount"] = ui_amount(reader.u64(), terms, now)
    delegate = reader.padded_option(Reader.key, 32)
    info["state"] = pick(ACCOUNT_STATES, reader.u8())
    reserve = reader.padded_option(Reader.u64, 8)
    info["isNative"] = reserve is not None
    delegated = reader.u64()
    close_authority = reader.padded_option(Reader.key, 32)
    if delegate is not None:
        info["delegate"] = delegate
        info["delegatedAmount"] = ui_amount(delegated, terms, now)
    if reserve is not None:
        info["rentExemptReserve"] = ui_amount(reserve, terms, now)
    if close_authority is not None:
        info["closeAuthority"] = close_authority
    return _with_extensions(info, data)


def _mint(data: bytes) -> dict[str, object]:
    reader = Reader(data[:MINT_BYTES])
    info: dict[str, object] = {
        "mintAuthority": reader.padded_option(Reader.key, 32),
        "supply": str(reader.u64()),
        "decimals": reader.u8(),
        "isInitialized": reader.flag(),
        "freezeAuthority": reader.padded_option(Reader.key, 32),
    }
    return _with_extensions(info, data)


def _with_extensions(info: dict[str, object], data: bytes) -> dict[str, object]:
    shown = shown_extensions(data)
    if shown:
        info["extensions"] = shown
    return info


def _multisig(data: bytes) -> dict[str, object]:
    reader = Reader(data)
    required, valid, initialized = reader.u8(), reader.u8(), reader.u8()
    if initialized != 1:
        raise Unparsable("not initialized")
    signers = [reader.nonzero_key() for _ in range(11)]
    return {
        "numRequiredSigners": required,
        "numValidSigners": valid,
        "isInitialized": True,
        "signers": [signer for signer in signers if signer is not None],
    }
