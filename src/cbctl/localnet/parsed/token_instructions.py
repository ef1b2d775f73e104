"""Instructions of both token programs. Source: spl-token-2022-interface, `instruction`."""

from __future__ import annotations

from cbctl.localnet.parsed.amounts import MintTerms, ui_amount
from cbctl.localnet.parsed.extensions import EXTENSIONS
from cbctl.localnet.parsed.reader import Reader, Unparsable, as_text, pick, utf8
from cbctl.localnet.parsed.shapes import Shape, find, maybe, read_shape, shape
from cbctl.localnet.parsed.token_extension_instructions import (
    BY_EXTENSION,
    DISCRIMINATOR_BYTES,
    parse_by_discriminator,
    parse_withdrawal,
)

_AMOUNT = as_text(Reader.u64)
_NUMBER = Reader.u64
_OPTIONAL_KEY = maybe(lambda reader: reader.option(Reader.key))

_AUTHORITY_TYPES = (
    "mintTokens",
    "freezeAccount",
    "accountOwner",
    "closeAccount",
    "transferFeeConfig",
    "withheldWithdraw",
    "closeMint",
    "interestRate",
    "permanentDelegate",
    "confidentialTransferMint",
    "transferHookProgramId",
    "confidentialTransferFeeConfig",
    "metadataPointer",
    "groupPointer",
    "groupMemberPointer",
    "scaledUiAmount",
    "pause",
    "permissionedBurn",
)
_OF_ACCOUNTS = ("accountOwner", "closeAccount")


def _extension_types(reader: Reader) -> list[str] | None:
    types = []
    while reader.left:
        types.append(_extension_type(reader.u16()))
    return types or None


def _extension_type(number: int) -> str:
    if number >= len(EXTENSIONS):
        raise Unparsable(f"no extension {number}")
    return EXTENSIONS[number].type_name


_TABLE: dict[int, Shape] = {
    0: shape(
        "initializeMint",
        "mint rentSysvar",
        decimals=Reader.u8,
        mintAuthority=Reader.key,
        freezeAuthority=_OPTIONAL_KEY,
    ),
    1: shape("initializeAccount", "account mint owner rentSysvar"),
    2: shape("initializeMultisig", "multisig rentSysvar +signers", m=Reader.u8),
    3: shape("transfer", "source destination @authority", amount=_AMOUNT),
    4: shape("approve", "source delegate @owner", amount=_AMOUNT),
    5: shape("revoke", "source @owner"),
    7: shape("mintTo", "mint account @mintAuthority", amount=_AMOUNT),
    8: shape("burn", "account mint @authority", amount=_AMOUNT),
    9: shape("closeAccount", "account destination @owner"),
    10: shape("freezeAccount", "account mint @freezeAuthority"),
    11: shape("thawAccount", "account mint @freezeAuthority"),
    12: shape(
        "transferChecked",
        "source mint destination @authority",
        amount=_NUMBER,
        decimals=Reader.u8,
    ),
    13: shape("approveChecked", "source mint delegate @owner", amount=_NUMBER, decimals=Reader.u8),
    14: shape("mintToChecked", "mint account @mintAuthority", amount=_NUMBER, decimals=Reader.u8),
    15: shape("burnChecked", "account mint @authority", amount=_NUMBER, decimals=Reader.u8),
    16: shape("initializeAccount2", "account mint rentSysvar", owner=Reader.key),
    17: shape("syncNative", "account"),
    18: shape("initializeAccount3", "account mint", owner=Reader.key),
    19: shape("initializeMultisig2", "multisig +signers", m=Reader.u8),
    20: shape(
        "initializeMint2",
        "mint",
        decimals=Reader.u8,
        mintAuthority=Reader.key,
        freezeAuthority=_OPTIONAL_KEY,
    ),
    21: shape("getAccountDataSize", "mint", extensionTypes=maybe(_extension_types)),
    22: shape("initializeImmutableOwner", "account"),
    23: shape("amountToUiAmount", "mint", amount=_AMOUNT),
    24: shape("uiAmountToAmount", "mint", uiAmount=lambda reader: utf8(reader.rest())),
    25: shape(
        "initializeMintCloseAuthority",
        "mint",
        newAuthority=lambda reader: reader.option(Reader.key),
    ),
    29: shape(
        "reallocate",
        "account payer systemProgram @owner",
        extensionTypes=lambda reader: _extension_types(reader) or [],
    ),
    31: shape("createNativeMint", "payer nativeMint systemProgram"),
    32: shape("initializeNonTransferableMint", "mint"),
    35: shape("initializePermanentDelegate", "mint", delegate=Reader.key),
    38: shape("withdrawExcessLamports", "source destination @authority"),
    45: shape(
        "unwrapLamports",
        "source destination @authority",
        amount=maybe(lambda reader: reader.option(_AMOUNT)),
    ),
}
_SET_AUTHORITY = 6
_TRANSFER_FEE = 26
_WITHDRAW_FROM_ACCOUNTS = 3
_BATCH = 255


def parse_token(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u8()
    if tag == _BATCH:
        return _batch(reader, accounts)
    if tag == _SET_AUTHORITY:
        return _set_authority(reader, accounts)
    if tag in BY_EXTENSION:
        kind = reader.u8()
        if (tag, kind) == (_TRANSFER_FEE, _WITHDRAW_FROM_ACCOUNTS):
            return parse_withdrawal(reader, accounts)
        found = find(BY_EXTENSION[tag], kind)
    elif tag not in _TABLE and len(data) >= DISCRIMINATOR_BYTES:
        return parse_by_discriminator(data, accounts)
    else:
        found = find(_TABLE, tag)
    parsed = read_shape(found, reader, accounts)
    if tag in BY_EXTENSION and tag != _TRANSFER_FEE and found.arguments:
        reader.end()
    return _with_token_amounts(parsed)


def _with_token_amounts(parsed: dict[str, object]) -> dict[str, object]:
    """An amount whose decimals the instruction names is shown as a token amount."""
    info = parsed.get("info")
    if isinstance(info, dict) and isinstance(info.get("amount"), int):
        terms = MintTerms(info.pop("decimals"))
        info["tokenAmount"] = ui_amount(info.pop("amount"), terms, 0)
        if "fee" in info:
            info["feeAmount"] = ui_amount(info.pop("fee"), terms, 0)
    return parsed


def _set_authority(reader: Reader, accounts: list[str]) -> dict[str, object]:
    kind = pick(_AUTHORITY_TYPES, reader.u8())
    owned = "account" if kind in _OF_ACCOUNTS else "mint"
    parsed = read_shape(
        shape(
            "setAuthority",
            f"{owned} @authority",
            newAuthority=lambda r: r.option(Reader.key),
        ),
        reader,
        accounts,
    )
    info = parsed["info"]
    assert isinstance(info, dict)
    info["authorityType"] = kind
    return parsed


def _batch(reader: Reader, accounts: list[str]) -> dict[str, object]:
    """Several instructions in one, their accounts one after the other; none of them a batch."""
    inside, used = [], 0
    while reader.left:
        count, length = reader.u8(), reader.u8()
        data = reader.take(length)
        if data[:1] == bytes([_BATCH]) or used + count > len(accounts):
            raise Unparsable("no batch")
        inside.append(parse_token(data, accounts[used : used + count]))
        used += count
    return {"type": "batch", "info": {"instructions": inside}}
