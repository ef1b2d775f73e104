"""The decoder against the program's IDL, walked here without the decoder's own table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from tests.unit.cbapi.accounts import account_bytes

from cbapi.domain import layout
from cbapi.domain.program import Limits, ProgramConfig, config_address, decode

ROOT = Path(__file__).parents[3]
IDL: dict[str, Any] = json.loads(
    (ROOT / "programs/crypto_bet/artifacts/crypto_bet.idl.json").read_text()
)
TYPES = {entry["name"]: entry["type"] for entry in IDL["types"]}
SIZES = {"u8": 1, "u16": 2, "u64": 8, "i64": 8, "u128": 16, "pubkey": 32}


def _leaves(kind: Any, name: str) -> list[tuple[str, int]]:
    """(dotted name, size) of everything in a type, in order."""
    if isinstance(kind, str):
        return [(name, SIZES[kind])]
    if "array" in kind:
        inner, length = kind["array"]
        return [(name, SIZES[inner] * length)]
    defined = TYPES[kind["defined"]["name"]]
    if defined["kind"] == "enum":
        assert all("fields" not in variant for variant in defined["variants"])
        return [(name, 1)]
    found: list[tuple[str, int]] = []
    for field in defined["fields"]:
        inner_name = f"{name}.{field['name']}" if name else field["name"]
        found += _leaves(field["type"], inner_name)
    return found


def test_offsets_are_the_idl_s() -> None:
    at = 8
    expected: dict[str, tuple[int, int]] = {}
    for name, size in _leaves({"defined": {"name": "GlobalConfig"}}, ""):
        expected[name] = (at, size)
        at += size
    assert list(layout.offsets().items()) == list(expected.items())
    assert at == layout.SIZE


def test_discriminator_scopes_and_seed_are_the_idl_s() -> None:
    (account,) = [entry for entry in IDL["accounts"] if entry["name"] == "GlobalConfig"]
    assert bytes(account["discriminator"]) == layout.DISCRIMINATOR
    variants = [variant["name"] for variant in TYPES["PauseScope"]["variants"]]
    assert tuple(variants) == layout.PAUSE_SCOPES
    seeds = [
        bytes(seed["value"])
        for instruction in IDL["instructions"]
        for entry in instruction["accounts"]
        for seed in entry.get("pda", {}).get("seeds", [])
        if seed["kind"] == "const"
    ]
    assert layout.SEED in seeds


def test_answer_names_are_the_idl_s() -> None:
    fields = {field["name"] for field in TYPES["GlobalConfig"]["fields"]}
    # Not shown: how the address is derived, and bytes without a meaning.
    assert set(ProgramConfig.__struct_fields__) == fields - {"bump", "reserve"}
    money = {field["name"] for field in TYPES["AssetLimitsAndTotals"]["fields"]}
    assert set(Limits.__struct_fields__) == money


def test_decode() -> None:
    config = decode(account_bytes(pending_authority=bytes([2]) * 32, pause_scope=2))
    assert config.authority == str(Pubkey.from_bytes(bytes([1]) * 32))
    assert config.pending_authority == str(Pubkey.from_bytes(bytes([2]) * 32))
    assert config.usdc_mint == str(Pubkey.from_bytes(bytes([6]) * 32))
    assert config.pause_scope == "allButClaims"
    assert (config.fee_bps, config.max_market_duration) == (250, 31_536_000)
    assert config.sol == Limits(
        "1000000", "1000000000000", str(2**127 + 1), "18446744073709551615", "7"
    )
    assert config.usdc == Limits("8", "9", "10", "11", "12")
    assert (config.total_markets, config.event_sequence) == ("13", "9007199254740993")
    assert config.dispute_bond == "14"
    assert decode(account_bytes()).pending_authority is None
    assert decode(account_bytes() + bytes(64)) == decode(account_bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        account_bytes()[:-1],
        bytes(len(account_bytes())),
        account_bytes(version=3),
        account_bytes(version=0),
        account_bytes(pause_scope=3),
    ],
)
def test_other_accounts_are_refused(data: bytes) -> None:
    with pytest.raises(layout.NotThisLayout):
        decode(data)


def test_an_account_of_the_layout_before_is_read() -> None:
    before = decode(account_bytes(version=1, dispute_bond=0))
    assert (before.version, before.dispute_bond) == (1, "0")


def test_address() -> None:
    program = "Vote111111111111111111111111111111111111111"
    expected, _ = Pubkey.find_program_address([b"global_config"], Pubkey.from_string(program))
    assert config_address(program) == str(expected)
