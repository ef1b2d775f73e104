"""What is read out of accounts and instructions, as agave 4.2's own parsers read it.

agave.jsonl holds one case for every kind of state and instruction: its bytes, and what agave's
account-decoder or transaction-status made of them. null: it does not parse them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.parsed.accounts import parse_account
from cbctl.localnet.parsed.instructions import parse_instruction
from cbctl.localnet.tokens import DECIMALS_OFFSET, TOKEN, native_mint

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("agave.jsonl").read_text("utf-8").splitlines()
]
ACCOUNTS = [case for case in CASES if case["kind"] == "account"]
INSTRUCTIONS = [case for case in CASES if case["kind"] == "instruction"]
OWNERS = sorted({case["owner"] for case in ACCOUNTS})
PROGRAMS = sorted({case["program"] for case in INSTRUCTIONS})
ADDRESSES = sorted({case["address"] for case in ACCOUNTS})


def _name(case: dict[str, Any]) -> str:
    parsed = (case["parsed"] or {}).get("parsed")
    kind = parsed.get("type") if isinstance(parsed, dict) else None
    program = case.get("program") or case["owner"]
    return f"{program[:8]}-{kind or 'unknown'}-{len(case['data']) // 2}"


def _account(address: str, owner: str, data: bytes, decimals: int) -> object:
    mint = bytearray(native_mint())
    mint[DECIMALS_OFFSET] = decimals
    found = parse_account(
        Pubkey.from_string(address),
        Account(1, data, Pubkey.from_string(owner)),
        lambda _: Account(1, bytes(mint), TOKEN),
        0,
    )
    return json.loads(msgspec.json.encode(found))


def _instruction(program: str, data: bytes, accounts: list[str]) -> object:
    known = parse_instruction(program, data, accounts)
    if known is None:
        return None
    name, parsed = known
    shown = {"program": name, "programId": program, "parsed": parsed, "stackHeight": 1}
    return json.loads(msgspec.json.encode(shown))


@pytest.mark.parametrize("case", ACCOUNTS, ids=_name)
def test_an_account(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["data"])
    assert _account(case["address"], case["owner"], data, case["decimals"]) == case["parsed"]


@pytest.mark.parametrize("case", INSTRUCTIONS, ids=_name)
def test_an_instruction(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["data"])
    assert _instruction(case["program"], data, case["accounts"]) == case["parsed"]


@given(
    st.sampled_from(ADDRESSES),
    st.sampled_from(OWNERS),
    st.binary(max_size=400),
    st.integers(0, 255),
)
def test_whatever_bytes_an_account_has_it_is_shown(
    address: str, owner: str, data: bytes, decimals: int
) -> None:
    _account(address, owner, data, decimals)


@given(
    st.sampled_from(ACCOUNTS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 10_000),
)
def test_an_account_with_other_bytes_is_shown(
    case: dict[str, Any], changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray.fromhex(case["data"])
    for place, value in changes:
        if data:
            data[place % len(data)] = value
    kept = bytes(data[: cut % (2 * len(data) + 1)])
    _account(case["address"], case["owner"], kept, case["decimals"])


@given(
    st.sampled_from(PROGRAMS),
    st.binary(max_size=120),
    st.lists(st.sampled_from(ADDRESSES), max_size=12),
)
def test_whatever_bytes_an_instruction_has_it_is_shown(
    program: str, data: bytes, accounts: list[str]
) -> None:
    _instruction(program, data, accounts)


@given(
    st.sampled_from(INSTRUCTIONS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 10_000),
    st.integers(0, 12),
)
def test_an_instruction_with_other_bytes_or_fewer_accounts_is_shown(
    case: dict[str, Any], changes: list[tuple[int, int]], cut: int, accounts: int
) -> None:
    data = bytearray.fromhex(case["data"])
    for place, value in changes:
        if data:
            data[place % len(data)] = value
    kept = bytes(data[: cut % (2 * len(data) + 1)])
    _instruction(case["program"], kept, case["accounts"][:accounts])
