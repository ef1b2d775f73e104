"""A GlobalConfig account written field by field, without the product's own table."""

from __future__ import annotations

from hashlib import sha256


def account_bytes(**changes: int | bytes) -> bytes:
    values: dict[str, tuple[int | bytes, int]] = {
        "version": (2, 1),
        "bump": (254, 1),
        "authority": (bytes([1]) * 32, 32),
        "pending_authority": (bytes(32), 32),
        "resolver": (bytes([3]) * 32, 32),
        "guardian": (bytes([4]) * 32, 32),
        "treasury": (bytes([5]) * 32, 32),
        "usdc_mint": (bytes([6]) * 32, 32),
        "fee_bps": (250, 2),
        "pause_scope": (1, 1),
        "dispute_window": (86_400, 8),
        "resolution_window": (604_800, 8),
        "sweep_delay": (2_592_000, 8),
        "min_market_duration": (3_600, 8),
        "max_market_duration": (31_536_000, 8),
        "sol_min_bet": (1_000_000, 8),
        "sol_max_bet": (1_000_000_000_000, 8),
        "sol_volume": (2**127 + 1, 16),
        "sol_fees_accrued": (2**64 - 1, 8),
        "sol_fees_withdrawn": (7, 8),
        "usdc_min_bet": (8, 8),
        "usdc_max_bet": (9, 8),
        "usdc_volume": (10, 16),
        "usdc_fees_accrued": (11, 8),
        "usdc_fees_withdrawn": (12, 8),
        "total_markets": (13, 8),
        "event_sequence": (2**53 + 1, 8),
        "dispute_bond": (14, 8),
        "reserve": (bytes(120), 120),
    }
    assert changes.keys() <= values.keys()
    data = sha256(b"account:GlobalConfig").digest()[:8]
    for name, (value, size) in values.items():
        value = changes.get(name, value)
        data += value if isinstance(value, bytes) else value.to_bytes(size, "little", signed=False)
    return data
