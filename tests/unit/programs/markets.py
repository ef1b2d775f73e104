"""What a client of crypto_bet knows of markets, written by hand from the documented layout.

Nothing here comes from the IDL or from the Rust sources: the tests compare them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import config_address, discriminator
from tests.unit.programs.svm import SYSTEM_PROGRAM
from tests.unit.programs.tokens import TOKEN_PROGRAM

ORACLE = Pubkey.from_bytes(bytes([7]) * 32)
MARKET_LENGTH = 872
POSITION_LENGTH = 131


class Kind(IntEnum):
    DEGEN = 0
    STABLE = 1


class Side(IntEnum):
    YES = 0
    NO = 1


class Result(IntEnum):
    UNDECIDED = 0
    YES = 1
    NO = 2


class State(IntEnum):
    ACTIVE = 0
    RESOLVED = 1
    CANCELLED = 2
    PAUSED = 3
    PROPOSED = 4
    DISPUTED = 5


@dataclass(frozen=True)
class Market:
    """The Market account by its documented order; `OFFSET` says where each field is."""

    version: int
    bump: int
    yes_vault_bump: int
    no_vault_bump: int
    state: int
    kind: int
    proposed: int
    result: int
    fee_withdrawn: int
    swept: int
    market_id: int
    authority: Pubkey
    mint: Pubkey
    resolver: Pubkey
    oracle: Pubkey
    disputer: Pubkey
    fee_bps: int
    terms_version: int
    created_at: int
    betting_ends_at: int
    resolution_time: int
    resolution_window: int
    dispute_window: int
    sweep_delay: int
    state_since: int
    yes_pool: int
    no_pool: int
    fee: int
    payout_pool: int
    settled_shares: int
    paid: int
    participants: int
    open_positions: int
    dispute_bond: int
    event_sequence: int
    title: str
    description: str
    category: str
    metadata_uri: str
    reserve: bytes

    def total_pool(self) -> int:
        return self.yes_pool + self.no_pool


@dataclass(frozen=True)
class Position:
    version: int
    bump: int
    user: Pubkey
    market: Pubkey
    yes_shares: int
    no_shares: int
    claimed: int
    paid: int
    reserve: bytes


MARKET_FORMAT = "<10BQ32s32s32s32s32sHI7q10Q64s256s32s128s64s"
POSITION_FORMAT = "<BB32s32sQQBQ32s"

# first byte in the account, the 8-byte discriminator in front
MARKET_OFFSET = {
    "version": 8,
    "bump": 9,
    "yes_vault_bump": 10,
    "no_vault_bump": 11,
    "state": 12,
    "kind": 13,
    "proposed": 14,
    "result": 15,
    "fee_withdrawn": 16,
    "swept": 17,
    "market_id": 18,
    "authority": 26,
    "mint": 58,
    "resolver": 90,
    "oracle": 122,
    "disputer": 154,
    "fee_bps": 186,
    "terms_version": 188,
    "created_at": 192,
    "betting_ends_at": 200,
    "resolution_time": 208,
    "resolution_window": 216,
    "dispute_window": 224,
    "sweep_delay": 232,
    "state_since": 240,
    "yes_pool": 248,
    "no_pool": 256,
    "fee": 264,
    "payout_pool": 272,
    "settled_shares": 280,
    "paid": 288,
    "participants": 296,
    "open_positions": 304,
    "dispute_bond": 312,
    "event_sequence": 320,
    "title": 328,
    "description": 392,
    "category": 648,
    "metadata_uri": 680,
    "reserve": 808,
}
POSITION_OFFSET = {
    "version": 8,
    "bump": 9,
    "user": 10,
    "market": 42,
    "yes_shares": 74,
    "no_shares": 82,
    "claimed": 90,
    "paid": 91,
    "reserve": 99,
}


def _fields(names: list[str], values: tuple[object, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        if isinstance(value, bytes) and name != "reserve":
            is_key = len(value) == 32 and name != "category"
            value = Pubkey.from_bytes(value) if is_key else value.rstrip(b"\0").decode()
        found[name] = value
    return found


def read_market(data: bytes) -> Market:
    assert data[:8] == discriminator("account", "Market")
    values = struct.unpack(MARKET_FORMAT, data[8:])
    return Market(**_fields(list(MARKET_OFFSET), values))  # type: ignore[arg-type]


def read_position(data: bytes) -> Position:
    assert data[:8] == discriminator("account", "Position")
    values = struct.unpack(POSITION_FORMAT, data[8:])
    return Position(**_fields(list(POSITION_OFFSET), values))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Terms:
    betting_ends_at: int
    resolution_time: int
    oracle: Pubkey = ORACLE
    title: str = "Will it rain in Łódź tomorrow?"
    description: str = "Any rain at the airport's station."
    category: str = "weather"
    metadata_uri: str = "ipfs://rain"

    def pack(self) -> bytes:
        times = struct.pack("<qq", self.betting_ends_at, self.resolution_time)
        texts = (self.title, self.description, self.category, self.metadata_uri)
        return times + bytes(self.oracle) + b"".join(text(value) for value in texts)

    def but(self, **changes: object) -> Terms:
        return replace(self, **changes)  # type: ignore[arg-type]


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


@dataclass(frozen=True)
class Addresses:
    """Where everything of one market is."""

    program: Pubkey
    market: Pubkey
    authority: Pubkey
    kind: Kind = Kind.DEGEN
    terms_version: int = 1
    """which a bet names; that of the first market of all, unless it was read from the account"""

    @staticmethod
    def of(program: Pubkey, market_id: int, authority: Pubkey, kind: Kind) -> Addresses:
        seeds = [b"market", struct.pack("<Q", market_id), bytes(authority)]
        market = Pubkey.find_program_address(seeds, program)[0]
        return Addresses(program, market, authority, kind)

    def vault(self, side: int) -> Pubkey:
        seed = b"yes_vault" if side == Side.YES else b"no_vault"
        return Pubkey.find_program_address([seed, bytes(self.market)], self.program)[0]

    def position(self, user: Pubkey) -> Pubkey:
        seeds = [b"position", bytes(user), bytes(self.market)]
        return Pubkey.find_program_address(seeds, self.program)[0]

    @property
    def config(self) -> Pubkey:
        return config_address(self.program)

    def vaults(self) -> list[AccountMeta]:
        return [writable(self.vault(Side.YES)), writable(self.vault(Side.NO))]

    def tokens(self, *before: AccountMeta) -> list[AccountMeta]:
        """What only a Stable market's instructions take, at the end."""
        return [*before, readonly(TOKEN_PROGRAM)] if self.kind == Kind.STABLE else []


def signer(key: Pubkey, *, pays: bool = False) -> AccountMeta:
    return AccountMeta(key, True, pays)


def writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, False, True)


def readonly(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, False, False)


def call(program: Pubkey, name: str, arguments: bytes, accounts: list[AccountMeta]) -> Instruction:
    return Instruction(program, discriminator("global", name) + arguments, accounts)


def create_market(at: Addresses, market_id: int, terms: Terms, mint: Pubkey) -> Instruction:
    return call(
        at.program,
        "create_market",
        struct.pack("<QB", market_id, at.kind) + terms.pack(),
        [
            signer(at.authority, pays=True),
            writable(at.config),
            writable(at.market),
            *at.vaults(),
            readonly(SYSTEM_PROGRAM),
            *at.tokens(readonly(mint)),
        ],
    )


def update_market(at: Addresses, terms: Terms) -> Instruction:
    accounts = [signer(at.authority), readonly(at.config), writable(at.market)]
    return call(at.program, "update_market", terms.pack(), accounts)


def place_bet(
    at: Addresses,
    user: Pubkey,
    side: int,
    amount: int,
    *,
    min_payout: int = 0,
    terms_version: int | None = None,
    token: Pubkey | None = None,
) -> Instruction:
    version = at.terms_version if terms_version is None else terms_version
    return call(
        at.program,
        "place_bet",
        struct.pack("<BQQI", side, amount, min_payout, version),
        [
            signer(user, pays=True),
            readonly(at.config),
            writable(at.market),
            writable(at.position(user)),
            writable(at.vault(side)),
            readonly(SYSTEM_PROGRAM),
            *at.tokens(writable(token or SYSTEM_PROGRAM)),
        ],
    )


def resolve_market(at: Addresses, resolver: Pubkey, side: int) -> Instruction:
    accounts = [signer(resolver), readonly(at.config), writable(at.market)]
    return call(at.program, "resolve_market", bytes([side]), accounts)


def dispute_market(at: Addresses, user: Pubkey) -> Instruction:
    return call(
        at.program,
        "dispute_market",
        b"",
        [
            signer(user, pays=True),
            readonly(at.config),
            writable(at.market),
            readonly(at.position(user)),
            readonly(SYSTEM_PROGRAM),
        ],
    )


def _ending(at: Addresses, actor: Pubkey) -> list[AccountMeta]:
    money = [*at.vaults(), *at.tokens()]
    return [signer(actor), writable(at.config), writable(at.market), *money]


def rule_dispute(at: Addresses, authority: Pubkey, side: int) -> Instruction:
    return call(at.program, "rule_dispute", bytes([side]), _ending(at, authority))


def finalize_market(at: Addresses, user: Pubkey) -> Instruction:
    return call(at.program, "finalize_market", b"", _ending(at, user))


def cancel_market(at: Addresses, user: Pubkey) -> Instruction:
    return call(at.program, "cancel_market", b"", _ending(at, user)[:3])


def pause_market(at: Addresses, actor: Pubkey, *, undo: bool = False) -> Instruction:
    accounts = [signer(actor), readonly(at.config), writable(at.market)]
    return call(at.program, "unpause_market" if undo else "pause_market", b"", accounts)


def claim_winnings(
    at: Addresses, user: Pubkey, side: int, token: Pubkey | None = None
) -> Instruction:
    return call(
        at.program,
        "claim_winnings",
        b"",
        [
            writable(user),
            writable(at.market),
            writable(at.position(user)),
            writable(at.vault(side)),
            *at.tokens(writable(token or SYSTEM_PROGRAM)),
        ],
    )


def claim_refund(at: Addresses, user: Pubkey, token: Pubkey | None = None) -> Instruction:
    return call(
        at.program,
        "claim_refund",
        b"",
        [
            writable(user),
            writable(at.market),
            writable(at.position(user)),
            *at.vaults(),
            *at.tokens(writable(token or SYSTEM_PROGRAM)),
        ],
    )


def withdraw_fees(
    at: Addresses, treasury: Pubkey, loser: int, token: Pubkey | None = None
) -> Instruction:
    return call(
        at.program,
        "withdraw_fees",
        b"",
        [
            writable(treasury),
            writable(at.config),
            writable(at.market),
            writable(at.vault(loser)),
            *at.tokens(writable(token or SYSTEM_PROGRAM)),
        ],
    )


def sweep_market(
    at: Addresses, authority: Pubkey, treasury: Pubkey, token: Pubkey | None = None
) -> Instruction:
    return call(
        at.program,
        "sweep_market",
        b"",
        [
            signer(authority),
            writable(at.config),
            writable(at.market),
            *at.vaults(),
            writable(treasury),
            *at.tokens(writable(token or SYSTEM_PROGRAM)),
        ],
    )


def settle_bond(at: Addresses, receiver: Pubkey) -> Instruction:
    accounts = [writable(receiver), readonly(at.config), writable(at.market)]
    return call(at.program, "settle_bond", b"", accounts)


def close_position(at: Addresses, user: Pubkey) -> Instruction:
    accounts = [writable(user), writable(at.market), writable(at.position(user))]
    return call(at.program, "close_position", b"", accounts)


def close_market(at: Addresses) -> Instruction:
    accounts = [writable(at.authority), writable(at.market), *at.vaults(), *at.tokens()]
    return call(at.program, "close_market", b"", accounts)
