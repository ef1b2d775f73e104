"""Accounts of the programs that every cluster has: nonces, lookup tables, programs, stakes, votes.

Layouts: solana-nonce, address-lookup-table-interface, loader-v3-interface, stake-interface,
config-interface.
"""

from __future__ import annotations

import msgspec

from cbctl.localnet.encoding import b64encode
from cbctl.localnet.parsed.reader import Reader, Unparsable, as_text, fields, read_fields

_TABLE_META_BYTES = 56
_VALIDATOR_INFO = "Va1idator1nfo111111111111111111111111111111"


def parse_nonce(data: bytes) -> dict[str, object]:
    """An initialized nonce; any other account of the system program is not parsed."""
    reader = Reader(data)
    version, state = reader.u32(), reader.u32()
    if version > 1 or state != 1:
        raise Unparsable("no initialized nonce")
    info: dict[str, object] = {"authority": reader.key(), "blockhash": reader.hash()}
    info["feeCalculator"] = {"lamportsPerSignature": str(reader.u64())}
    return {"type": "initialized", "info": info}


def parse_lookup_table(data: bytes) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u32()
    if tag == 0:
        return {"type": "uninitialized"}
    if tag != 1:
        raise Unparsable(f"no state {tag}")
    info = read_fields(
        reader,
        fields(
            deactivationSlot=as_text(Reader.u64),
            lastExtendedSlot=as_text(Reader.u64),
            lastExtendedSlotStartIndex=Reader.u8,
        ),
    )
    authority = reader.option(Reader.key)
    if authority is not None:
        info["authority"] = authority
    addresses = Reader(data[_TABLE_META_BYTES:])
    if len(data) < _TABLE_META_BYTES or addresses.left % 32:
        raise Unparsable("a part of an address")
    info["addresses"] = addresses.list_of(Reader.key, addresses.left // 32)
    return {"type": "lookupTable", "info": info}


def parse_upgradeable_loader(data: bytes) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u32()
    if tag == 0:
        return {"type": "uninitialized"}
    if tag == 1:
        buffer: dict[str, object] = {"authority": reader.option(Reader.key)}
        buffer["data"] = [b64encode(reader.rest()), "base64"]
        return {"type": "buffer", "info": buffer}
    if tag == 2:
        return {"type": "program", "info": {"programData": reader.key()}}
    if tag == 3:
        code: dict[str, object] = {"slot": reader.u64(), "authority": reader.option(Reader.key)}
        code["data"] = [b64encode(reader.rest()), "base64"]
        return {"type": "programData", "info": code}
    raise Unparsable(f"no state {tag}")


_LOCKUP = fields(unixTimestamp=Reader.i64, epoch=Reader.u64, custodian=Reader.key)
_AUTHORIZED = fields(staker=Reader.key, withdrawer=Reader.key)
_META = fields(
    rentExemptReserve=as_text(Reader.u64),
    authorized=lambda reader: read_fields(reader, _AUTHORIZED),
    lockup=lambda reader: read_fields(reader, _LOCKUP),
)
_DELEGATION = fields(
    voter=Reader.key,
    stake=as_text(Reader.u64),
    activationEpoch=as_text(Reader.u64),
    deactivationEpoch=as_text(Reader.u64),
)


def parse_stake(data: bytes) -> dict[str, object]:
    reader = Reader(data)
    tag = reader.u32()
    if tag == 0:
        return {"type": "uninitialized"}
    if tag == 1:
        info: dict[str, object] = {"meta": read_fields(reader, _META), "stake": None}
        return {"type": "initialized", "info": info}
    if tag == 2:
        meta = read_fields(reader, _META)
        delegation = read_fields(reader, _DELEGATION)
        reader.take(8)  # the warm-up rate, which no longer counts
        stake = {"delegation": delegation, "creditsObserved": reader.u64()}
        return {"type": "delegated", "info": {"meta": meta, "stake": stake}}
    if tag == 3:
        return {"type": "rewardsPool"}
    raise Unparsable(f"no state {tag}")


def locked_until(data: bytes) -> tuple[int, int]:
    """Unix time and epoch until which a stake is locked up."""
    reader = Reader(data)
    if reader.u32() not in (1, 2):
        raise Unparsable("no stake")
    reader.take(8 + 32 + 32)
    return reader.i64(), reader.u64()


def parse_config(data: bytes) -> dict[str, object]:
    """Only what validators say of themselves; the keys tell which kind it is."""
    reader = Reader(data)
    keys = reader.list_of(lambda r: {"pubkey": r.key(), "signer": r.flag()}, _short_length(reader))
    if not keys or keys[0]["pubkey"] != _VALIDATOR_INFO:
        raise Unparsable("no validator info")
    try:
        told = msgspec.json.decode(reader.long_text())
    except msgspec.DecodeError:
        raise Unparsable("not JSON") from None
    return {"type": "validatorInfo", "info": {"keys": keys, "configData": told}}


def _short_length(reader: Reader) -> int:
    """Seven bits a byte, the last byte without the highest one."""
    length = shift = 0
    while shift <= 14:
        byte = reader.u8()
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return length
        shift += 7
    raise Unparsable("no length")
