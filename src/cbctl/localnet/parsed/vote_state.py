"""Vote accounts, shown as their newest layout has them. Layouts: solana-vote-interface."""

from __future__ import annotations

from cbctl.localnet.encoding import b58encode
from cbctl.localnet.parsed.reader import Reader, Unparsable, as_text, fields, read_fields

_V1_14_11, _V3, _V4 = 1, 2, 3
_PRIOR_VOTERS_BYTES = 32 * (32 + 8 + 8) + 8 + 1
_BLS_KEY_BYTES = 48
_BASIS_POINTS = 10_000

_AUTHORIZED_VOTER = fields(epoch=Reader.u64, authorizedVoter=Reader.key)
_EPOCH_CREDITS = fields(
    epoch=Reader.u64, credits=as_text(Reader.u64), previousCredits=as_text(Reader.u64)
)
_TIMESTAMP = fields(slot=Reader.u64, timestamp=Reader.i64)


def parse_vote(address: str, data: bytes) -> dict[str, object]:
    reader = Reader(data)
    version = reader.u32()
    if version not in (_V1_14_11, _V3, _V4):
        raise Unparsable(f"no vote state {version}")
    info: dict[str, object] = {"nodePubkey": reader.key(), "authorizedWithdrawer": reader.key()}
    if version == _V4:
        info |= {
            "inflationRewardsCollector": reader.key(),
            "blockRevenueCollector": reader.key(),
            "inflationRewardsCommissionBps": (bps := reader.u16()),
            "blockRevenueCommissionBps": reader.u16(),
            "pendingDelegatorRewards": str(reader.u64()),
            "blsPubkeyCompressed": reader.option(lambda r: b58encode(r.take(_BLS_KEY_BYTES))),
            "commission": min(-(-bps // 100), 255),
        }
    else:
        commission = reader.u8()
        info |= {
            "commission": commission,
            "inflationRewardsCommissionBps": commission * 100,
            "inflationRewardsCollector": address,
            "blockRevenueCollector": info["nodePubkey"],
            "blockRevenueCommissionBps": _BASIS_POINTS,
            "pendingDelegatorRewards": "0",
            "blsPubkeyCompressed": None,
        }
    info["votes"] = reader.list_of(lambda r: _vote(r, version), reader.u64())
    info["rootSlot"] = reader.option(Reader.u64)
    info["authorizedVoters"] = reader.list_of(
        lambda r: read_fields(r, _AUTHORIZED_VOTER), reader.u64()
    )
    if version != _V4:
        reader.take(_PRIOR_VOTERS_BYTES)
    info["priorVoters"] = []  # the newest layout has none
    info["epochCredits"] = reader.list_of(lambda r: read_fields(r, _EPOCH_CREDITS), reader.u64())
    info["lastTimestamp"] = read_fields(reader, _TIMESTAMP)
    return {"type": "vote", "info": info}


def _vote(reader: Reader, version: int) -> dict[str, object]:
    latency = reader.u8() if version != _V1_14_11 else 0
    return {"latency": latency, "slot": reader.u64(), "confirmationCount": reader.u32()}
