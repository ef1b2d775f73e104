"""Instructions of the programs that every cluster has.

Sources: solana-system-interface, address-lookup-table-interface, loader-v2- and -v3-interface,
stake-interface, spl-associated-token-account-interface.
"""

from __future__ import annotations

from cbctl.localnet.encoding import b64encode
from cbctl.localnet.parsed.reader import Reader, Unparsable, fields, pick, read_fields
from cbctl.localnet.parsed.shapes import Shape, find, read_shape, shape

_KEY, _U64, _TEXT = Reader.key, Reader.u64, Reader.long_text

_SYSTEM: dict[int, Shape] = {
    0: shape("createAccount", "source newAccount", lamports=_U64, space=_U64, owner=_KEY),
    1: shape("assign", "account", owner=_KEY),
    2: shape("transfer", "source destination", lamports=_U64),
    3: shape(
        "createAccountWithSeed",
        "source newAccount",
        base=_KEY,
        seed=_TEXT,
        lamports=_U64,
        space=_U64,
        owner=_KEY,
    ),
    4: shape("advanceNonce", "nonceAccount recentBlockhashesSysvar nonceAuthority"),
    5: shape(
        "withdrawFromNonce",
        "nonceAccount destination recentBlockhashesSysvar rentSysvar nonceAuthority",
        lamports=_U64,
    ),
    6: shape(
        "initializeNonce", "nonceAccount recentBlockhashesSysvar rentSysvar", nonceAuthority=_KEY
    ),
    7: shape("authorizeNonce", "nonceAccount nonceAuthority", newAuthorized=_KEY),
    8: shape("allocate", "account", space=_U64),
    9: shape("allocateWithSeed", "account _base", base=_KEY, seed=_TEXT, space=_U64, owner=_KEY),
    10: shape("assignWithSeed", "account _base", base=_KEY, seed=_TEXT, owner=_KEY),
    11: shape(
        "transferWithSeed",
        "source sourceBase destination",
        lamports=_U64,
        sourceSeed=_TEXT,
        sourceOwner=_KEY,
    ),
    12: shape("upgradeNonce", "nonceAccount"),
}
_PREFUNDED = 13
_PREFUNDED_SHAPE = shape(
    "createAccountAllowPrefund", "newAccount", lamports=_U64, space=_U64, owner=_KEY
)


def parse_system(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u32()
    if tag != _PREFUNDED:
        return read_shape(find(_SYSTEM, tag), reader, accounts)
    parsed = read_shape(_PREFUNDED_SHAPE, reader, accounts)
    info = parsed["info"]
    assert isinstance(info, dict)
    if info["lamports"] == 0:  # nobody pays, so nobody is named
        del info["lamports"]
    elif len(accounts) < 2:
        raise Unparsable("no source")
    else:
        info["source"] = accounts[1]
    return parsed


_TABLE: dict[int, Shape] = {
    0: shape(
        "createLookupTable",
        "lookupTableAccount lookupTableAuthority payerAccount systemProgram",
        recentSlot=_U64,
        bumpSeed=Reader.u8,
    ),
    1: shape("freezeLookupTable", "lookupTableAccount lookupTableAuthority"),
    2: shape(
        "extendLookupTable",
        "lookupTableAccount lookupTableAuthority ?payerAccount ?systemProgram",
        newAddresses=lambda reader: reader.list_of(Reader.key, reader.u64()),
    ),
    3: shape("deactivateLookupTable", "lookupTableAccount lookupTableAuthority"),
    4: shape("closeLookupTable", "lookupTableAccount lookupTableAuthority recipient"),
}


def parse_lookup_table(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    return read_shape(find(_TABLE, reader.u32()), reader, accounts)


def _bytes(reader: Reader) -> str:
    return b64encode(reader.take(reader.u64()))


_LOADER: dict[int, Shape] = {
    0: shape("write", "account", offset=Reader.u32, bytes=_bytes),
    1: shape("finalize", "account _rent"),
}


def parse_loader(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    return read_shape(find(_LOADER, reader.u32()), reader, accounts)


_UPGRADEABLE: dict[int, Shape] = {
    0: shape("initializeBuffer", "account ?authority"),
    1: shape("write", "account authority", offset=Reader.u32, bytes=_bytes),
    2: shape(
        "deployWithMaxDataLen",
        "payerAccount programDataAccount programAccount bufferAccount rentSysvar clockSysvar "
        "systemProgram authority",
        maxDataLen=_U64,
    ),
    3: shape(
        "upgrade",
        "programDataAccount programAccount bufferAccount spillAccount rentSysvar clockSysvar "
        "authority",
    ),
    4: shape("setAuthority", "account authority -newAuthority"),
    5: shape("close", "account recipient authority -programAccount"),
    6: shape(
        "extendProgram",
        "programDataAccount programAccount -systemProgram -payerAccount",
        additionalBytes=Reader.u32,
    ),
    7: shape("setAuthorityChecked", "account authority newAuthority"),
}


def parse_upgradeable_loader(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    return read_shape(find(_UPGRADEABLE, reader.u32()), reader, accounts)


def _role(reader: Reader) -> str:
    return pick(("Staker", "Withdrawer"), reader.u32())


_AUTHORIZED = fields(staker=_KEY, withdrawer=_KEY)
_LOCKUP = fields(unixTimestamp=Reader.i64, epoch=_U64, custodian=_KEY)


def _lockup_change(reader: Reader) -> dict[str, object]:
    """What is not to change is left out."""
    change: dict[str, object] = {}
    if (moment := reader.option(Reader.i64)) is not None:
        change["unixTimestamp"] = moment
    if (epoch := reader.option(Reader.u64)) is not None:
        change["epoch"] = epoch
    return change


def _lockup_change_with_custodian(reader: Reader) -> dict[str, object]:
    change = _lockup_change(reader)
    if (custodian := reader.option(Reader.key)) is not None:
        change["custodian"] = custodian
    return change


_STAKE: dict[int, Shape] = {
    0: shape(
        "initialize",
        "stakeAccount rentSysvar",
        authorized=lambda reader: read_fields(reader, _AUTHORIZED),
        lockup=lambda reader: read_fields(reader, _LOCKUP),
    ),
    1: shape(
        "authorize",
        "stakeAccount clockSysvar authority ?custodian",
        newAuthority=_KEY,
        authorityType=_role,
    ),
    2: shape(
        "delegate",
        "stakeAccount voteAccount clockSysvar stakeHistorySysvar stakeConfigAccount stakeAuthority",
    ),
    3: shape("split", "stakeAccount newSplitAccount stakeAuthority", lamports=_U64),
    4: shape(
        "withdraw",
        "stakeAccount destination clockSysvar stakeHistorySysvar withdrawAuthority ?custodian",
        lamports=_U64,
    ),
    5: shape("deactivate", "stakeAccount clockSysvar stakeAuthority"),
    6: shape("setLockup", "stakeAccount custodian", lockup=_lockup_change_with_custodian),
    7: shape("merge", "destination source clockSysvar stakeHistorySysvar stakeAuthority"),
    8: shape(
        "authorizeWithSeed",
        "stakeAccount authorityBase ?clockSysvar ?custodian",
        newAuthorized=_KEY,
        authorityType=_role,
        authoritySeed=_TEXT,
        authorityOwner=_KEY,
    ),
    9: shape("initializeChecked", "stakeAccount rentSysvar staker withdrawer"),
    10: shape(
        "authorizeChecked",
        "stakeAccount clockSysvar authority newAuthority ?custodian",
        authorityType=_role,
    ),
    11: shape(
        "authorizeCheckedWithSeed",
        "stakeAccount authorityBase clockSysvar newAuthorized ?custodian",
        authorityType=_role,
        authoritySeed=_TEXT,
        authorityOwner=_KEY,
    ),
    12: shape("setLockupChecked", "stakeAccount custodian", lockup=_lockup_change),
    13: shape("getMinimumDelegation"),
    14: shape("deactivateDelinquent", "stakeAccount voteAccount referenceVoteAccount"),
    15: shape(
        "redelegate", "stakeAccount newStakeAccount voteAccount stakeConfigAccount stakeAuthority"
    ),
    16: shape("moveStake", "source destination stakeAuthority", lamports=_U64),
    17: shape("moveLamports", "source destination stakeAuthority", lamports=_U64),
}
_SET_LOCKUP_CHECKED = 12


def parse_stake(data: bytes, accounts: list[str]) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u32()
    parsed = read_shape(find(_STAKE, tag), reader, accounts)
    if tag == _SET_LOCKUP_CHECKED and len(accounts) > 2:
        info = parsed["info"]
        assert isinstance(info, dict)
        info["lockup"]["custodian"] = accounts[2]
    return parsed


_CREATE_ACCOUNTS = "source account wallet mint systemProgram tokenProgram"
_ASSOCIATED: dict[int, Shape] = {
    0: shape("create", _CREATE_ACCOUNTS),
    1: shape("createIdempotent", _CREATE_ACCOUNTS),
    2: shape(
        "recoverNested",
        "nestedSource nestedMint destination nestedOwner ownerMint wallet tokenProgram",
    ),
}


def parse_associated(data: bytes, accounts: list[str]) -> dict[str, object]:
    """Before it had tags, no data at all meant `create`."""
    if len(data) > 1:
        raise Unparsable("too long")
    return read_shape(find(_ASSOCIATED, data[0] if data else 0), Reader(b""), accounts)
