"""What a client of crypto_bet knows, written by hand from the documented layout.

Nothing here comes from the IDL or from the Rust sources: the tests compare them.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.svm import SYSTEM_PROGRAM, Chain, Program

ROOT = Path(__file__).parents[3] / "programs" / "crypto_bet"
ARTIFACTS = ROOT / "artifacts"
ELF = ARTIFACTS / "crypto_bet.so"

CONFIG_LENGTH = 485
DAY = 24 * 60 * 60


class Scope(IntEnum):
    NONE = 0
    NEW_BETS = 1
    ALL_BUT_CLAIMS = 2


class Error(IntEnum):
    """The program's own errors from 6000, Anchor's below."""

    FALLBACK_NOT_FOUND = 101
    DID_NOT_DESERIALIZE = 102
    CONSTRAINT_MUT = 2000
    CONSTRAINT_SEEDS = 2006
    DISCRIMINATOR_MISMATCH = 3002
    ACCOUNT_DID_NOT_DESERIALIZE = 3003
    NOT_ENOUGH_KEYS = 3005
    OWNED_BY_WRONG_PROGRAM = 3007
    INVALID_PROGRAM_ID = 3008
    NOT_SIGNER = 3010
    NOT_INITIALIZED = 3012
    NOT_PROGRAM_DATA = 3013
    INVALID_PARAMETERS = 6000
    TITLE_TOO_LONG = 6001
    BET_AMOUNT_TOO_SMALL = 6002
    MARKET_ALREADY_RESOLVED = 6003
    UNAUTHORIZED = 6004
    ALREADY_CLAIMED = 6005
    NUMBER_OVERFLOW = 6006
    ALREADY_INITIALIZED = 6007
    UNSUPPORTED_VERSION = 6008
    INVARIANT_VIOLATED = 6009
    PLATFORM_PAUSED = 6010
    BET_AMOUNT_TOO_LARGE = 6011
    BETTING_CLOSED = 6012
    PAYOUT_TOO_LOW = 6013
    TERMS_CHANGED = 6014
    TERMS_FIXED = 6015
    MARKET_STATE_INVALID = 6016
    TOO_EARLY = 6017
    TOO_LATE = 6018
    NOTHING_TO_CLAIM = 6019
    UNSUPPORTED_MINT = 6020
    ACCOUNT_MISMATCH = 6021
    MONEY_STILL_OWED = 6022
    INSOLVENT = 6023


def discriminator(namespace: str, name: str) -> bytes:
    return hashlib.sha256(f"{namespace}:{name}".encode()).digest()[:8]


@dataclass(frozen=True)
class Settings:
    """The argument of initialize_program, with the platform's documented values."""

    fee_bps: int = 250
    dispute_window: int = DAY
    resolution_window: int = 7 * DAY
    sweep_delay: int = 90 * DAY
    min_market_duration: int = 3_600
    max_market_duration: int = 31_536_000
    sol_min_bet: int = 1_000_000
    sol_max_bet: int = 1_000_000_000_000
    usdc_min_bet: int = 100_000
    usdc_max_bet: int = 100_000_000_000
    resolver: Pubkey = field(default_factory=Pubkey.new_unique)
    guardian: Pubkey = field(default_factory=Pubkey.new_unique)
    treasury: Pubkey = field(default_factory=Pubkey.new_unique)
    usdc_mint: Pubkey = field(default_factory=Pubkey.new_unique)

    def pack(self) -> bytes:
        return (
            struct.pack(
                "<HqqqqqQQQQ",
                self.fee_bps,
                self.dispute_window,
                self.resolution_window,
                self.sweep_delay,
                self.min_market_duration,
                self.max_market_duration,
                self.sol_min_bet,
                self.sol_max_bet,
                self.usdc_min_bet,
                self.usdc_max_bet,
            )
            + bytes(self.resolver)
            + bytes(self.guardian)
            + bytes(self.treasury)
            + bytes(self.usdc_mint)
        )

    def but(self, **changes: object) -> Settings:
        return replace(self, **changes)  # type: ignore[arg-type]


def config_address(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([b"global_config"], program)[0]


def initialize_program(
    program: Program,
    settings: Settings,
    *,
    authority: AccountMeta | None = None,
    config: AccountMeta | None = None,
    program_data: Pubkey | None = None,
    system_program: Pubkey = SYSTEM_PROGRAM,
) -> Instruction:
    return Instruction(
        program.id,
        discriminator("global", "initialize_program") + settings.pack(),
        [
            authority or AccountMeta(program.upgrade_authority.pubkey(), True, True),
            config or AccountMeta(config_address(program.id), False, True),
            AccountMeta(program_data or program.data, False, False),
            AccountMeta(system_program, False, False),
        ],
    )


def emergency_pause(
    program: Program, actor: Pubkey, scope: int, *, config: AccountMeta | None = None
) -> Instruction:
    return Instruction(
        program.id,
        discriminator("global", "emergency_pause") + bytes([scope]),
        [
            AccountMeta(actor, True, False),
            config or AccountMeta(config_address(program.id), False, True),
        ],
    )


def emergency_unpause(
    program: Program, actor: Pubkey, *, config: AccountMeta | None = None
) -> Instruction:
    return Instruction(
        program.id,
        discriminator("global", "emergency_unpause"),
        [
            AccountMeta(actor, True, False),
            config or AccountMeta(config_address(program.id), False, True),
        ],
    )


def update_config(program: Program, settings: Settings, dispute_bond: int = 0) -> Instruction:
    return _by_authority(
        program, "update_config", settings.pack() + struct.pack("<Q", dispute_bond)
    )


def propose_authority(program: Program, pending: Pubkey) -> Instruction:
    return _by_authority(program, "propose_authority", bytes(pending))


def accept_authority(program: Program, pending: Pubkey) -> Instruction:
    return _by_authority(program, "accept_authority", b"", pending)


def migrate(program: Program) -> Instruction:
    return _by_authority(program, "migrate", b"")


def _by_authority(
    program: Program, name: str, arguments: bytes, actor: Pubkey | None = None
) -> Instruction:
    return Instruction(
        program.id,
        discriminator("global", name) + arguments,
        [
            AccountMeta(actor or program.upgrade_authority.pubkey(), True, False),
            AccountMeta(config_address(program.id), False, True),
        ],
    )


@dataclass(frozen=True)
class Asset:
    min_bet: int
    max_bet: int
    volume: int
    fees_accrued: int
    fees_withdrawn: int


@dataclass(frozen=True)
class Config:
    """The GlobalConfig account by its documented offsets."""

    version: int
    bump: int
    authority: Pubkey
    pending_authority: Pubkey
    resolver: Pubkey
    guardian: Pubkey
    treasury: Pubkey
    usdc_mint: Pubkey
    fee_bps: int
    pause_scope: int
    dispute_window: int
    resolution_window: int
    sweep_delay: int
    min_market_duration: int
    max_market_duration: int
    sol: Asset
    usdc: Asset
    total_markets: int
    event_sequence: int
    dispute_bond: int
    reserve: bytes


# first byte in the account, the 8-byte discriminator in front
OFFSET = {
    "version": 8,
    "bump": 9,
    "authority": 10,
    "pending_authority": 42,
    "resolver": 74,
    "guardian": 106,
    "treasury": 138,
    "usdc_mint": 170,
    "fee_bps": 202,
    "pause_scope": 204,
    "dispute_window": 205,
    "resolution_window": 213,
    "sweep_delay": 221,
    "min_market_duration": 229,
    "max_market_duration": 237,
    "sol": 245,
    "usdc": 293,
    "total_markets": 341,
    "event_sequence": 349,
    "dispute_bond": 357,
    "reserve": 365,
}


def read_config(data: bytes) -> Config:
    assert len(data) == CONFIG_LENGTH
    assert data[:8] == discriminator("account", "GlobalConfig")

    def number(kind: str, name: str) -> int:
        value: int = struct.unpack_from(kind, data, OFFSET[name])[0]
        return value

    def key(name: str) -> Pubkey:
        return Pubkey.from_bytes(data[OFFSET[name] : OFFSET[name] + 32])

    def asset(name: str) -> Asset:
        smallest, largest, low, high, accrued, withdrawn = struct.unpack_from(
            "<QQQQQQ", data, OFFSET[name]
        )
        return Asset(smallest, largest, low | high << 64, accrued, withdrawn)

    return Config(
        version=number("<B", "version"),
        bump=number("<B", "bump"),
        authority=key("authority"),
        pending_authority=key("pending_authority"),
        resolver=key("resolver"),
        guardian=key("guardian"),
        treasury=key("treasury"),
        usdc_mint=key("usdc_mint"),
        fee_bps=number("<H", "fee_bps"),
        pause_scope=number("<B", "pause_scope"),
        dispute_window=number("<q", "dispute_window"),
        resolution_window=number("<q", "resolution_window"),
        sweep_delay=number("<q", "sweep_delay"),
        min_market_duration=number("<q", "min_market_duration"),
        max_market_duration=number("<q", "max_market_duration"),
        sol=asset("sol"),
        usdc=asset("usdc"),
        total_markets=number("<Q", "total_markets"),
        event_sequence=number("<Q", "event_sequence"),
        dispute_bond=number("<Q", "dispute_bond"),
        reserve=data[OFFSET["reserve"] :],
    )


@dataclass(frozen=True)
class PauseChanged:
    sequence: int
    timestamp: int
    actor: Pubkey
    old_scope: int
    new_scope: int


def read_pause_changed(data: bytes) -> PauseChanged:
    assert data[:8] == discriminator("event", "PauseChanged")
    sequence, timestamp, actor, old, new = struct.unpack("<Qq32sBB", data[8:])
    return PauseChanged(sequence, timestamp, Pubkey.from_bytes(actor), old, new)


@dataclass(frozen=True)
class ProgramInitialized:
    sequence: int
    timestamp: int
    authority: Pubkey
    settings: bytes


def read_program_initialized(data: bytes) -> ProgramInitialized:
    assert data[:8] == discriminator("event", "ProgramInitialized")
    sequence, timestamp, authority = struct.unpack("<Qq32s", data[8:56])
    return ProgramInitialized(sequence, timestamp, Pubkey.from_bytes(authority), data[56:])


@dataclass(frozen=True)
class Platform:
    """An initialized program and the keys of those who may do something."""

    program: Program
    settings: Settings
    authority: Keypair
    guardian: Keypair
    chain: Chain

    @property
    def config(self) -> Config:
        return read_config(self.chain.data(config_address(self.program.id)))
