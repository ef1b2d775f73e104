"""The program's configuration as clients of the API see it."""

from __future__ import annotations

import msgspec
from solders.pubkey import Pubkey

from cbapi.domain import layout

_ZERO = bytes(32)


class Limits(msgspec.Struct, rename="camel", frozen=True):
    """Bets in one currency. Base units (lamports, or 10^-6 USDC) as decimal strings."""

    min_bet: str
    max_bet: str
    volume: str
    fees_accrued: str
    fees_withdrawn: str


class ProgramConfig(msgspec.Struct, rename="camel", frozen=True):
    """Keys in base58, u64 and u128 as decimal strings, windows and durations in seconds."""

    version: int
    authority: str
    pending_authority: str | None
    resolver: str
    guardian: str
    treasury: str
    usdc_mint: str
    fee_bps: int
    pause_scope: str
    dispute_window: int
    resolution_window: int
    sweep_delay: int
    min_market_duration: int
    max_market_duration: int
    sol: Limits
    usdc: Limits
    total_markets: str
    event_sequence: str
    dispute_bond: str


class ProgramView(msgspec.Struct, rename="camel", frozen=True):
    """Answer of GET /v1/program.

    stale  True when the chain could not be asked and this is the last read
    slot   the slot that the account was read at, a decimal string
    """

    program_id: str
    address: str
    slot: str
    read_at: str
    stale: bool
    config: ProgramConfig


def config_address(program_id: str) -> str:
    address, _ = Pubkey.find_program_address([layout.SEED], Pubkey.from_string(program_id))
    return str(address)


def decode(data: bytes) -> ProgramConfig:
    """Raises layout.NotThisLayout."""
    raw = layout.unpack(data)

    def key(name: str) -> str:
        value = raw[name]
        assert isinstance(value, bytes)
        return str(Pubkey.from_bytes(value))

    def number(name: str) -> int:
        value = raw[name]
        assert isinstance(value, int)
        return value

    def limits(currency: str) -> Limits:
        names = Limits.__struct_fields__
        return Limits(**{name: str(number(f"{currency}.{name}")) for name in names})

    return ProgramConfig(
        version=number("version"),
        authority=key("authority"),
        pending_authority=None if raw["pending_authority"] == _ZERO else key("pending_authority"),
        resolver=key("resolver"),
        guardian=key("guardian"),
        treasury=key("treasury"),
        usdc_mint=key("usdc_mint"),
        fee_bps=number("fee_bps"),
        pause_scope=_camel(layout.PAUSE_SCOPES[number("pause_scope")]),
        dispute_window=number("dispute_window"),
        resolution_window=number("resolution_window"),
        sweep_delay=number("sweep_delay"),
        min_market_duration=number("min_market_duration"),
        max_market_duration=number("max_market_duration"),
        sol=limits("sol"),
        usdc=limits("usdc"),
        total_markets=str(number("total_markets")),
        event_sequence=str(number("event_sequence")),
        dispute_bond=str(number("dispute_bond")),
    )


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
