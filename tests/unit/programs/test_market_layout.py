"""The bytes of markets and positions: by hand-written offsets and through both IDLs."""

from __future__ import annotations

import re
import struct
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.unit.programs import idl_codec, markets
from tests.unit.programs.crypto_bet import ARTIFACTS
from tests.unit.programs.house import House
from tests.unit.programs.markets import (
    MARKET_FORMAT,
    MARKET_LENGTH,
    MARKET_OFFSET,
    POSITION_FORMAT,
    POSITION_LENGTH,
    POSITION_OFFSET,
    Addresses,
    Kind,
    Result,
    Side,
    State,
)
from tests.unit.programs.scenes import SCENES, scene, with_bets
from tests.unit.programs.svm import Chain
from tests.unit.programs.test_layout import CURRENT, LEGACY, load, snake

both = pytest.mark.parametrize("path", [CURRENT, LEGACY], ids=["0.1.0", "0.29"])
ENUMS: dict[str, type[IntEnum]] = {
    "state": State,
    "kind": Kind,
    "proposed": Result,
    "result": Result,
}
TRUTHS = ("fee_withdrawn", "swept", "claimed")
TEXTS = {"title": 64, "description": 256, "category": 32, "metadata_uri": 128}


def by_hand(account: Any) -> dict[str, object]:
    """As the IDL says it."""
    found: dict[str, object] = {}
    for field in fields(account):
        value = getattr(account, field.name)
        if field.name in ENUMS:
            value = ENUMS[field.name](value).name.capitalize()
        elif field.name in TRUTHS:
            value = bool(value)
        elif field.name in TEXTS:
            value = value.encode().ljust(TEXTS[field.name], b"\0")
        found[field.name] = value
    return found


@both
def test_accounts_by_offsets_and_by_idl(house: House, path: Path) -> None:
    at, yes, _ = with_bets(house, Kind.STABLE)
    house.resolve(at, Side.YES)
    house.claim(at, yes.pubkey(), Side.YES)
    idl = load(path)
    market = house.chain.data(at.market)
    assert snake(idl.read("Market", market)) == by_hand(house.market(at))
    position = house.chain.data(at.position(yes.pubkey()))
    assert snake(idl.read("Position", position)) == by_hand(house.position(at, yes.pubkey()))


@pytest.mark.parametrize(
    ("offsets", "layout", "length"),
    [
        (MARKET_OFFSET, MARKET_FORMAT, MARKET_LENGTH),
        (POSITION_OFFSET, POSITION_FORMAT, POSITION_LENGTH),
    ],
    ids=["Market", "Position"],
)
def test_offsets_leave_no_gap(offsets: dict[str, int], layout: str, length: int) -> None:
    ends = [*list(offsets.values())[1:], length]
    sizes = [end - start for start, end in zip(offsets.values(), ends, strict=True)]
    zeros = struct.unpack(layout, bytes(length - 8))
    assert next(iter(offsets.values())) == 8
    for size, value in zip(sizes, zeros, strict=True):
        assert size == len(value) if isinstance(value, bytes) else size in (1, 2, 4, 8)


@both
def test_every_instruction_is_described(path: Path) -> None:
    """Names and numbers of accounts, as the calls written by hand have them."""
    named = {snake_name(entry["name"]): entry for entry in load(path).document["instructions"]}
    for name in SCENES:
        house = House.build(Chain())
        instruction: Instruction = scene(house, name).instruction
        described = named[name.split(",")[0]]["accounts"]
        needed = [
            account
            for account in described
            if not (account.get("optional") or account.get("isOptional"))
        ]
        assert len(instruction.accounts) == len(needed)
        for meta, account in zip(instruction.accounts, needed, strict=True):
            assert meta.is_signer == account.get("signer", account.get("isSigner", False))
            assert meta.is_writable == account.get("writable", account.get("isMut", False))


def snake_name(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def test_arguments_by_hand_and_by_idl() -> None:
    idl = idl_codec.current(ARTIFACTS / "crypto_bet.idl.json")
    terms = markets.Terms(7, 8)
    key = Keypair().pubkey()
    at = Addresses(key, key, key, Kind.STABLE)
    expected = {
        "create_market": (
            markets.create_market(at, 5, terms, key),
            [5, "Stable", 7, 8, terms.oracle, *_texts(terms)],
        ),
        "update_market": (
            markets.update_market(at, terms),
            [7, 8, terms.oracle, *_texts(terms)],
        ),
        "place_bet": (
            markets.place_bet(at, key, Side.NO, 9, min_payout=10, terms_version=11),
            ["No", 9, 10, 11],
        ),
    }
    for name, (instruction, values) in expected.items():
        (entry,) = [one for one in idl.document["instructions"] if one["name"] == name]
        data = b"".join(
            idl.write(argument["type"], value)
            for argument, value in zip(entry["args"], values, strict=True)
        )
        assert bytes(instruction.data) == bytes(entry["discriminator"]) + data


def _texts(terms: markets.Terms) -> list[str]:
    return [terms.title, terms.description, terms.category, terms.metadata_uri]
