"""How much of a block a transaction takes up: agave, cost-model."""

from __future__ import annotations

from cbctl.localnet.transactions import PRECOMPILES, AnyMessage

_SIGNATURE = 720
_WRITE_LOCK = 300
_DATA_BYTES_PER_UNIT = 4
_PAGE_BYTES = 32 * 1024
_PAGE = 8


def cost_units(message: AnyMessage, write_locks: int, units: int, loaded_bytes: int) -> int:
    """
    write_locks   how many accounts it asks to write to
    units         compute units that it consumed
    loaded_bytes  of all accounts that it loaded
    """
    keys = message.account_keys
    cost = message.header.num_required_signatures * _SIGNATURE + write_locks * _WRITE_LOCK + units
    data_bytes = 0
    for call in message.instructions:
        data = bytes(call.data)
        data_bytes += len(data)
        if data:
            cost += data[0] * PRECOMPILES.get(keys[call.program_id_index], 0)
    return cost + data_bytes // _DATA_BYTES_PER_UNIT + -(-loaded_bytes // _PAGE_BYTES) * _PAGE
