"""The extensions of Token-2022 mints and accounts. Layouts: spl-token-2022, `extension`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from cbctl.localnet.encoding import b64encode
from cbctl.localnet.parsed.reader import (
    Fields,
    Kind,
    Reader,
    Unparsable,
    base64_of,
    choice_of,
    fields,
    read_fields,
)
from cbctl.localnet.tokens import TYPE_OFFSET

_UNINITIALIZED = 0
_HEAD_BYTES = 4


class Extension(NamedTuple):
    """Its name in the list of types, its name when shown, and its layout."""

    type_name: str
    shown_name: str
    layout: Fields


def _extension(type_name: str, shown_name: str | None = None, /, **kinds: Kind) -> Extension:
    return Extension(type_name, shown_name or type_name, fields(**kinds))


def _transfer_fee(reader: Reader) -> dict[str, object]:
    return read_fields(
        reader,
        fields(epoch=Reader.u64, maximumFee=Reader.u64, transferFeeBasisPoints=Reader.u16),
    )


def _more_metadata(reader: Reader) -> list[tuple[str, str]]:
    return reader.list_of(lambda r: (r.short_text(), r.short_text()), reader.u32())


def _nonzero_base64(reader: Reader) -> str | None:
    raw = reader.take(32)
    return b64encode(raw) if any(raw) else None


def float_text(reader: Reader) -> str:
    """As Rust prints it: the shortest digits that are enough, and never an exponent."""
    value = reader.f64()
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


_KEY, _NO_KEY, _FLAG = Reader.key, Reader.nonzero_key, Reader.flag
_NUMBER, _CIPHERTEXT = Reader.u64, base64_of(64)


# By number.
EXTENSIONS: tuple[Extension, ...] = (
    _extension("uninitialized"),
    _extension(
        "transferFeeConfig",
        transferFeeConfigAuthority=_NO_KEY,
        withdrawWithheldAuthority=_NO_KEY,
        withheldAmount=_NUMBER,
        olderTransferFee=_transfer_fee,
        newerTransferFee=_transfer_fee,
    ),
    _extension("transferFeeAmount", withheldAmount=_NUMBER),
    _extension("mintCloseAuthority", closeAuthority=_NO_KEY),
    _extension(
        "confidentialTransferMint",
        authority=_NO_KEY,
        autoApproveNewAccounts=_FLAG,
        auditorElgamalPubkey=_nonzero_base64,
    ),
    _extension(
        "confidentialTransferAccount",
        approved=_FLAG,
        elgamalPubkey=base64_of(32),
        pendingBalanceLo=_CIPHERTEXT,
        pendingBalanceHi=_CIPHERTEXT,
        availableBalance=_CIPHERTEXT,
        decryptableAvailableBalance=base64_of(36),
        allowConfidentialCredits=_FLAG,
        allowNonConfidentialCredits=_FLAG,
        pendingBalanceCreditCounter=_NUMBER,
        maximumPendingBalanceCreditCounter=_NUMBER,
        expectedPendingBalanceCreditCounter=_NUMBER,
        actualPendingBalanceCreditCounter=_NUMBER,
    ),
    _extension(
        "defaultAccountState", accountState=choice_of("uninitialized", "initialized", "frozen")
    ),
    _extension("immutableOwner"),
    _extension("memoTransfer", requireIncomingTransferMemos=_FLAG),
    _extension("nonTransferable"),
    _extension(
        "interestBearingConfig",
        rateAuthority=_NO_KEY,
        initializationTimestamp=Reader.i64,
        preUpdateAverageRate=Reader.i16,
        lastUpdateTimestamp=Reader.i64,
        currentRate=Reader.i16,
    ),
    _extension("cpiGuard", lockCpi=_FLAG),
    _extension("permanentDelegate", delegate=_NO_KEY),
    _extension("nonTransferableAccount"),
    _extension("transferHook", authority=_NO_KEY, programId=_NO_KEY),
    _extension("transferHookAccount", transferring=_FLAG),
    _extension(
        "confidentialTransferFeeConfig",
        authority=_NO_KEY,
        withdrawWithheldAuthorityElgamalPubkey=base64_of(32),
        harvestToMintEnabled=_FLAG,
        withheldAmount=_CIPHERTEXT,
    ),
    _extension("confidentialTransferFeeAmount", withheldAmount=_CIPHERTEXT),
    _extension("metadataPointer", authority=_NO_KEY, metadataAddress=_NO_KEY),
    _extension(
        "tokenMetadata",
        updateAuthority=_NO_KEY,
        mint=_KEY,
        name=Reader.short_text,
        symbol=Reader.short_text,
        uri=Reader.short_text,
        additionalMetadata=_more_metadata,
    ),
    _extension("groupPointer", authority=_NO_KEY, groupAddress=_NO_KEY),
    _extension("tokenGroup", updateAuthority=_NO_KEY, mint=_KEY, size=_NUMBER, maxSize=_NUMBER),
    _extension("groupMemberPointer", authority=_NO_KEY, memberAddress=_NO_KEY),
    _extension("tokenGroupMember", mint=_KEY, group=_KEY, memberNumber=_NUMBER),
    _extension(
        "confidentialMintBurn",
        confidentialSupply=_CIPHERTEXT,
        decryptableSupply=base64_of(36),
        supplyElgamalPubkey=base64_of(32),
        pendingBurn=_CIPHERTEXT,
    ),
    _extension(
        "scaledUiAmount",
        "scaledUiAmountConfig",
        authority=_NO_KEY,
        multiplier=float_text,
        newMultiplierEffectiveTimestamp=Reader.i64,
        newMultiplier=float_text,
    ),
    _extension("pausable", "pausableConfig", authority=_NO_KEY, paused=_FLAG),
    _extension("pausableAccount"),
    _extension("permissionedBurn", "permissionedBurnConfig", authority=_NO_KEY),
)


def extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every extension of a mint or an account."""
    reader = Reader(data[TYPE_OFFSET + 1 :])
    while reader.left >= _HEAD_BYTES:
        number = reader.u16()
        if number == _UNINITIALIZED:
            return
        yield number, reader.take(reader.u16())


def shown_extensions(data: bytes) -> list[dict[str, object]]:
    """Every extension by name; none at all when the list is damaged."""
    try:
        return [_shown(number, value) for number, value in extensions(data)]
    except Unparsable:
        return []


def _shown(number: int, value: bytes) -> dict[str, object]:
    if number >= len(EXTENSIONS):
        raise Unparsable(f"no extension {number}")
    extension = EXTENSIONS[number]
    try:
        state = read_fields(Reader(value), extension.layout)
    except Unparsable:
        return {"extension": "unparseableExtension"}
    shown: dict[str, object] = {"extension": extension.shown_name}
    return {**shown, "state": state} if extension.layout else shown
