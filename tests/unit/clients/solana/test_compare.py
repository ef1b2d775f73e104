"""What a reader by one IDL can do with a program that has another one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.compare import breaks
from cbctl.clients.solana.idl.parse import parse

ARTIFACTS = Path(__file__).parents[4] / "programs/crypto_bet/artifacts"
OLDER = Path(__file__).parents[3] / "fixtures/older"

IDL: dict[str, Any] = {
    "address": str(Pubkey.default()),
    "metadata": {"name": "shop", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [
        {
            "name": "open",
            "discriminator": [1] * 8,
            "accounts": [{"name": "owner", "signer": True}, {"name": "shop", "writable": True}],
            "args": [{"name": "price", "type": "u64"}],
        },
        {"name": "close", "discriminator": [2] * 8, "accounts": [], "args": []},
    ],
    "accounts": [{"name": "Shop", "discriminator": [3] * 8}],
    "events": [{"name": "Opened", "discriminator": [4] * 8}],
    "types": [
        {
            "name": "Shop",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "version", "type": "u8"},
                    {"name": "state", "type": {"defined": {"name": "State"}}},
                    {"name": "sold", "type": {"vec": {"defined": {"name": "Sale"}}}},
                    {"name": "reserve", "type": {"array": ["u8", 16]}},
                ],
            },
        },
        {
            "name": "Sale",
            "type": {"kind": "struct", "fields": [{"name": "price", "type": "u64"}]},
        },
        {
            "name": "State",
            "type": {"kind": "enum", "variants": [{"name": "Open"}, {"name": "Closed"}]},
        },
        {
            "name": "Opened",
            "type": {"kind": "struct", "fields": [{"name": "by", "type": "pubkey"}]},
        },
    ],
}
SHOP, SALE, STATE, OPENED = range(4)


def found(change: Callable[[Any], object]) -> list[str]:
    new = copy.deepcopy(IDL)
    change(new)
    return list(breaks(parse(json.dumps(IDL)), parse(json.dumps(new))))


def fields(idl: Any, type: int) -> Any:
    return idl["types"][type]["type"]["fields"]


def field(name: str, type: Any) -> dict[str, Any]:
    return {"name": name, "type": type}


def taken_from_the_reserve(idl: Any) -> None:
    fields(idl, SHOP)[3:] = [field("fee", "u64"), field("reserve", {"array": ["u8", 8]})]


@pytest.mark.parametrize(
    "change",
    [
        lambda idl: None,
        lambda idl: fields(idl, SHOP).append(field("fee", "u64")),
        taken_from_the_reserve,
        lambda idl: fields(idl, OPENED).append(field("at", "i64")),
        lambda idl: idl["types"][STATE]["type"]["variants"].append({"name": "Paused"}),
        lambda idl: idl["instructions"].append(
            {"name": "pause", "discriminator": [9] * 8, "accounts": [], "args": []}
        ),
        lambda idl: idl["instructions"][0]["accounts"].append({"name": "x", "optional": True}),
        lambda idl: idl["events"].append({"name": "Sale", "discriminator": [8] * 8}),
    ],
)
def test_additions(change: Callable[[Any], object]) -> None:
    assert found(change) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda idl: idl["instructions"].pop(), "the instruction close is gone"),
        (lambda idl: idl["instructions"][1].update(discriminator=[7] * 8), "discriminator"),
        (
            lambda idl: idl["instructions"][0]["args"].append(field("fee", "u8")),
            "the instruction open takes 2 arguments, not 1",
        ),
        (
            lambda idl: idl["instructions"][0]["args"][0].update(type="u32"),
            "the instruction open, argument price is u32 now, and was u64",
        ),
        (lambda idl: idl["instructions"][0]["accounts"].reverse(), "takes other accounts"),
        (
            lambda idl: idl["instructions"][0]["accounts"].append({"name": "x"}),
            "takes other accounts",
        ),
        (lambda idl: idl["accounts"].pop(), "the account Shop is gone"),
        (lambda idl: idl["events"][0].update(discriminator=[7] * 8), "the event Opened has"),
        (
            lambda idl: fields(idl, SHOP).insert(1, field("bump", "u8")),
            "the account Shop: where the field state was, there is bump",
        ),
        (lambda idl: fields(idl, SHOP).pop(), "the field reserve is gone"),
        (
            lambda idl: fields(idl, SHOP)[0].update(type="u16"),
            "the account Shop, field version is u16 now, and was u8",
        ),
        (
            lambda idl: fields(idl, SALE).append(field("at", "i64")),
            "at was added in the middle of other bytes",
        ),
        (
            lambda idl: fields(idl, SHOP)[3].update(type={"array": ["u8", 8]}),
            "the account Shop, field reserve is 8 times u8 now, and was 16 times u8",
        ),
        (
            lambda idl: idl["types"][STATE]["type"]["variants"].reverse(),
            "the account Shop, field state: the variants are not the same",
        ),
        (
            lambda idl: idl["types"][STATE].update(
                type={"kind": "struct", "fields": [field("n", "u8")]}
            ),
            "is a struct now, and was an enum",
        ),
    ],
)
def test_what_breaks(change: Callable[[Any], object], words: str) -> None:
    assert any(words in one for one in found(change)), found(change)


def test_both_kinds_of_file_say_the_same() -> None:
    new, old = (
        parse((ARTIFACTS / f"crypto_bet.{kind}.json").read_text()) for kind in ("idl", "idl-0.29")
    )
    assert list(breaks(new, new)) == []
    assert [one for one in breaks(old, new) if "discriminator" not in one] == []
