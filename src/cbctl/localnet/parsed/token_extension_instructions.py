"""Instructions about extensions of Token-2022, but not those with encrypted amounts.

Sources: spl-token-2022-interface, `extension`; spl-token-metadata- and -group-interface.
"""

from __future__ import annotations

import hashlib

from cbctl.localnet.parsed.extensions import float_text
from cbctl.localnet.parsed.reader import Reader, Unparsable, as_text, choice_of, pick
from cbctl.localnet.parsed.shapes import Shape, maybe, named_accounts, read_shape, shape

_KEY, _NO_KEY, _OPTIONAL_KEY = Reader.key, Reader.nonzero_key, maybe(Reader.nonzero_key)
_STATE = choice_of("uninitialized", "initialized", "frozen")
_CONFIG_AUTHORITY = maybe(lambda reader: reader.option(Reader.key))


def _pointer(name: str, address: str) -> dict[int, Shape]:
    return {
        0: shape(
            f"initialize{name}",
            "mint",
            authority=_OPTIONAL_KEY,
            **{address: _OPTIONAL_KEY},
        ),
        1: shape(f"update{name}", "mint @authority", **{address: _OPTIONAL_KEY}),
    }


# By the instruction's tag, then by the byte behind it.
BY_EXTENSION: dict[int, dict[int, Shape]] = {
    26: {
        0: shape(
            "initializeTransferFeeConfig",
            "mint",
            transferFeeConfigAuthority=_CONFIG_AUTHORITY,
            withdrawWithheldAuthority=_CONFIG_AUTHORITY,
            transferFeeBasisPoints=Reader.u16,
            maximumFee=Reader.u64,
        ),
        1: shape(
            "transferCheckedWithFee",
            "source mint destination @authority",
            amount=Reader.u64,
            decimals=Reader.u8,
            fee=Reader.u64,
        ),
        2: shape("withdrawWithheldTokensFromMint", "mint feeRecipient @withdrawWithheldAuthority"),
        4: shape("harvestWithheldTokensToMint", "mint *sourceAccounts"),
        5: shape(
            "setTransferFee",
            "mint @transferFeeConfigAuthority|multisigtransferFeeConfigAuthority",
            transferFeeBasisPoints=Reader.u16,
            maximumFee=Reader.u64,
        ),
    },
    28: {
        0: shape("initializeDefaultAccountState", "mint", accountState=_STATE),
        1: shape("updateDefaultAccountState", "mint @freezeAuthority", accountState=_STATE),
    },
    30: {
        0: shape("enableRequiredMemoTransfers", "account @owner"),
        1: shape("disableRequiredMemoTransfers", "account @owner"),
    },
    33: {
        0: shape("initializeInterestBearingConfig", "mint", rateAuthority=_NO_KEY, rate=Reader.i16),
        1: shape("updateInterestBearingConfigRate", "mint @rateAuthority", newRate=Reader.i16),
    },
    34: {
        0: shape("enableCpiGuard", "account @owner"),
        1: shape("disableCpiGuard", "account @owner"),
    },
    36: _pointer("TransferHook", "programId"),
    39: _pointer("MetadataPointer", "metadataAddress"),
    40: _pointer("GroupPointer", "groupAddress"),
    41: _pointer("GroupMemberPointer", "memberAddress"),
    43: {
        0: shape(
            "initializeScaledUiAmountConfig", "mint", authority=_NO_KEY, multiplier=float_text
        ),
        1: shape(
            "updateMultiplier",
            "mint @authority",
            newMultiplier=float_text,
            newMultiplierTimestamp=Reader.i64,
        ),
    },
    44: {
        0: shape("initializePausableConfig", "mint", authority=_NO_KEY),
        1: shape("pause", "mint @authority"),
        2: shape("resume", "mint @authority"),
    },
    46: {
        0: shape("initializePermissionedBurnConfig", "mint", authority=_KEY),
        1: shape(
            "permissionedBurn",
            "account mint permissionedBurnAuthority @authority",
            amount=as_text(Reader.u64),
        ),
        2: shape(
            "permissionedBurnChecked",
            "account mint permissionedBurnAuthority @authority",
            amount=Reader.u64,
            decimals=Reader.u8,
        ),
    },
}


def parse_withdrawal(reader: Reader, accounts: list[str]) -> dict[str, object]:
    """Of withheld fees from accounts: the data says how many of the last accounts these are."""
    first = len(accounts) - reader.u8()
    if first < 0:
        raise Unparsable("too few accounts")
    names = ("mint", "feeRecipient", "@withdrawWithheldAuthority")
    info = named_accounts(names, accounts[:first]) | {"sourceAccounts": accounts[first:]}
    return {"type": "withdrawWithheldTokensFromAccounts", "info": info}


DISCRIMINATOR_BYTES = 8


def _field(reader: Reader) -> str:
    kind = reader.u8()
    return reader.short_text() if kind == 3 else pick(("name", "symbol", "uri"), kind)


_METADATA, _GROUP = "spl_token_metadata_interface", "spl_token_group_interface"
_OPTIONAL_NUMBER = maybe(lambda reader: reader.option(Reader.u64))
_BY_NAME: dict[str, Shape] = {
    f"{_METADATA}:initialize_account": shape(
        "initializeTokenMetadata",
        "metadata updateAuthority mint mintAuthority",
        name=Reader.short_text,
        symbol=Reader.short_text,
        uri=Reader.short_text,
    ),
    f"{_METADATA}:updating_field": shape(
        "updateTokenMetadataField",
        "metadata updateAuthority",
        field=_field,
        value=Reader.short_text,
    ),
    f"{_METADATA}:remove_key_ix": shape(
        "removeTokenMetadataKey",
        "metadata updateAuthority",
        idempotent=Reader.flag,
        key=Reader.short_text,
    ),
    f"{_METADATA}:update_the_authority": shape(
        "updateTokenMetadataAuthority", "metadata updateAuthority", newAuthority=_NO_KEY
    ),
    f"{_METADATA}:emitter": shape(
        "emitTokenMetadata", "metadata", start=_OPTIONAL_NUMBER, end=_OPTIONAL_NUMBER
    ),
    f"{_GROUP}:initialize_token_group": shape(
        "initializeTokenGroup",
        "group mint mintAuthority",
        updateAuthority=_NO_KEY,
        maxSize=Reader.u64,
    ),
    f"{_GROUP}:update_group_max_size": shape(
        "updateTokenGroupMaxSize", "group updateAuthority", maxSize=Reader.u64
    ),
    f"{_GROUP}:update_authority": shape(
        "updateTokenGroupAuthority", "group updateAuthority", newAuthority=_NO_KEY
    ),
    f"{_GROUP}:initialize_member": shape(
        "initializeTokenGroupMember",
        "member memberMint memberMintAuthority group groupUpdateAuthority",
    ),
}
_BY_DISCRIMINATOR = {
    hashlib.sha256(name.encode()).digest()[:DISCRIMINATOR_BYTES]: found
    for name, found in _BY_NAME.items()
}


def parse_by_discriminator(data: bytes, accounts: list[str]) -> dict[str, object]:
    """Metadata and groups have no tag: they begin with eight bytes of a hash of their name."""
    reader = Reader(data)
    found = _BY_DISCRIMINATOR.get(reader.take(DISCRIMINATOR_BYTES))
    if found is None:
        raise Unparsable("no such interface")
    parsed = read_shape(found, reader, accounts)
    reader.end()
    return parsed
