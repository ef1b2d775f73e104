"""Sysvars. Layouts: solana-sysvar, solana-clock, solana-rent and their neighbours."""

from __future__ import annotations

from collections.abc import Callable

from cbctl.localnet.parsed.reader import Reader, Unparsable, as_text, fields, read_fields

_HISTORY_BITS = 1024 * 1024
_WORDS = _HISTORY_BITS // 64


def _fee_calculator(reader: Reader) -> dict[str, object]:
    return read_fields(reader, fields(lamportsPerSignature=as_text(Reader.u64)))


_CLOCK = fields(
    slot=Reader.u64,
    epochStartTimestamp=Reader.i64,
    epoch=Reader.u64,
    leaderScheduleEpoch=Reader.u64,
    unixTimestamp=Reader.i64,
)
_EPOCH_SCHEDULE = fields(
    slotsPerEpoch=Reader.u64,
    leaderScheduleSlotOffset=Reader.u64,
    warmup=Reader.flag,
    firstNormalEpoch=Reader.u64,
    firstNormalSlot=Reader.u64,
)
_FEES = fields(feeCalculator=_fee_calculator)
_RENT = fields(lamportsPerByte=as_text(Reader.u64))
_LAST_RESTART = fields(lastRestartSlot=Reader.u64)
_EPOCH_REWARDS = fields(
    distributionStartingBlockHeight=Reader.u64,
    numPartitions=Reader.u64,
    parentBlockhash=Reader.hash,
    totalPoints=as_text(Reader.u128),
    totalRewards=as_text(Reader.u64),
    distributedRewards=as_text(Reader.u64),
    active=Reader.flag,
)
_RECENT_BLOCKHASH = fields(blockhash=Reader.hash, feeCalculator=_fee_calculator)
_SLOT_HASH = fields(slot=Reader.u64, hash=Reader.hash)
_STAKE_ENTRY = fields(effective=Reader.u64, activating=Reader.u64, deactivating=Reader.u64)
_STAKE_HISTORY = fields(
    epoch=Reader.u64, stakeHistory=lambda reader: read_fields(reader, _STAKE_ENTRY)
)


def _list(reader: Reader, layout: tuple[tuple[str, Callable[[Reader], object]], ...]) -> object:
    return reader.list_of(lambda r: read_fields(r, layout), reader.u64())


def _rewards(reader: Reader) -> object:
    value = reader.f64()
    reader.f64()  # unused
    return {"validatorPointValue": value}


def _slot_history(reader: Reader) -> object:
    """A bit for every slot modulo 2^20, and the slot that comes next."""
    if reader.u8() != 1 or reader.u64() != _WORDS:
        raise Unparsable("no bits")
    number = int.from_bytes(reader.take(_HISTORY_BITS // 8), "little")
    if reader.u64() != _HISTORY_BITS:
        raise Unparsable("another number of bits")
    bits = f"{number:0{_HISTORY_BITS}b}"[::-1]
    return {"nextSlot": reader.u64(), "bits": bits}


_SYSVARS: dict[str, tuple[str, Callable[[Reader], object]]] = {
    "SysvarC1ock11111111111111111111111111111111": ("clock", lambda r: read_fields(r, _CLOCK)),
    "SysvarEpochSchedu1e111111111111111111111111": (
        "epochSchedule",
        lambda r: read_fields(r, _EPOCH_SCHEDULE),
    ),
    "SysvarFees111111111111111111111111111111111": ("fees", lambda r: read_fields(r, _FEES)),
    "SysvarRecentB1ockHashes11111111111111111111": (
        "recentBlockhashes",
        lambda r: _list(r, _RECENT_BLOCKHASH),
    ),
    "SysvarRent111111111111111111111111111111111": ("rent", lambda r: read_fields(r, _RENT)),
    "SysvarRewards111111111111111111111111111111": ("rewards", _rewards),
    "SysvarS1otHashes111111111111111111111111111": ("slotHashes", lambda r: _list(r, _SLOT_HASH)),
    "SysvarS1otHistory11111111111111111111111111": ("slotHistory", _slot_history),
    "SysvarStakeHistory1111111111111111111111111": (
        "stakeHistory",
        lambda r: _list(r, _STAKE_HISTORY),
    ),
    "SysvarLastRestartS1ot1111111111111111111111": (
        "lastRestartSlot",
        lambda r: read_fields(r, _LAST_RESTART),
    ),
    "SysvarEpochRewards1111111111111111111111111": (
        "epochRewards",
        lambda r: read_fields(r, _EPOCH_REWARDS),
    ),
}


def parse_sysvar(address: str, data: bytes) -> dict[str, object]:
    """By address; Unparsable for one that is not known."""
    known = _SYSVARS.get(address)
    if known is None:
        raise Unparsable("no sysvar")
    name, read = known
    return {"type": name, "info": read(Reader(data))}
