"""What cbctl.yaml may say of an initialization is what the codec can encode, for any IDL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from solders.keypair import Keypair

from cbctl.clients.solana.idl.model import IdlError
from cbctl.clients.solana.idl.program import Program
from cbctl.config.idl import check
from cbctl.config.reference import Reference
from cbctl.config.settings import Initialize

# Always the same: it is part of names of tests.
KEY = str(Keypair.from_seed(bytes(range(32))).pubkey())
TYPES: list[dict[str, Any]] = [
    {"name": "Rules", "type": {"kind": "struct", "fields": [
        {"name": "least_age", "type": "u8"},
        {"name": "motto", "type": {"option": "string"}},
    ]}},
    {"name": "Point", "type": {"kind": "struct", "fields": ["i8", "i8"]}},
    {"name": "Door", "type": {"kind": "enum", "variants": [
        {"name": "Open"},
        {"name": "ForMembers", "fields": [{"name": "rules", "type": {"defined": "Rules"}}]},
        {"name": "Rooms", "fields": [{"vec": "u16"}, "bool"]},
    ]}},
    {"name": "Pair", "generics": [{"kind": "type", "name": "T"},
                                  {"kind": "const", "name": "N", "type": "usize"}],
     "type": {"kind": "struct", "fields": [
         {"name": "items", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}]}},
    {"name": "Twice", "generics": [{"kind": "type", "name": "U"}],
     "type": {"kind": "struct", "fields": [{"name": "pair", "type": {"defined": {
         "name": "Pair", "generics": [{"kind": "type", "type": {"generic": "U"}},
                                      {"kind": "const", "value": "2"}]}}}]}},
    {"name": "Name", "type": {"kind": "type", "alias": "string"}},
]  # fmt: skip
TWICE = {"defined": {"name": "Twice", "generics": [{"kind": "type", "type": "u8"}]}}


def idl(kind: Any) -> dict[str, Any]:
    return {
        "instructions": [
            {
                "name": "begin",
                "accounts": [
                    {"name": "payer", "signer": True},
                    {"name": "group", "accounts": [{"name": "house"}, {"name": "index"}]},
                ],
                "args": [{"name": "value", "type": kind}],
            }
        ],
        "accounts": [{"name": "House", "discriminator": [1]}],
        "types": TYPES,
    }


def initialize(arguments: dict[str, Any], **more: Any) -> Initialize:
    return Initialize(instruction="begin", account="House", arguments=arguments, **more)


def problems(kind: Any, arguments: dict[str, Any]) -> list[tuple[str, str]]:
    return list(check(initialize(arguments), idl(kind)))


def encoded(kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    program = Program.from_text(json.dumps(idl(kind)), Keypair().pubkey())
    return program.canonical("begin", arguments)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", True),
        ("string", ""),
        ("i16", -(2**15)),
        ("u256", 2**256 - 1),
        ("pubkey", KEY),
        ("publicKey", KEY),  # the older kind's word
        ("bytes", "C0ffee"),
        ("bytes", ""),
        ({"option": "u8"}, None),
        ({"option": "u8"}, 1),
        ({"coption": "pubkey"}, None),
        ({"option": {"defined": "Door"}}, "Open"),
        ({"vec": {"option": "u8"}}, [1, None]),
        ({"vec": "u8"}, []),
        ({"array": ["bool", 2]}, [True, False]),
        ({"tuple": ["u8", "string"]}, [1, "a"]),
        ({"defined": {"name": "Rules"}}, {"least_age": 18, "motto": None}),
        ({"defined": "Rules"}, {"leastAge": 18}),
        ({"defined": "Point"}, [-1, 1]),
        ({"defined": "Door"}, "open"),
        ({"defined": "Door"}, {"ForMembers": {"rules": {"least_age": 1}}}),
        ({"defined": "Door"}, {"for_members": {"rules": {"least_age": 1}}}),
        ({"defined": "Door"}, {"Rooms": [[101, 102], False]}),
        (TWICE, {"pair": {"items": [1, 2]}}),
        ({"defined": "Name"}, "Ada"),
    ],
    ids=str,
)
def test_taken(kind: Any, value: Any) -> None:
    assert problems(kind, {"value": value}) == []
    encoded(kind, {"value": value})


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bool", 1, "expected bool"),
        ("bool", None, "expected bool"),
        ("string", 2026, "expected string"),
        ("i16", 2**15, "expected i16: -32768 to 32767"),
        ("u8", None, "expected u8"),
        ("bytes", "c0f", "expected bytes"),
        ("bytes", 7, "expected bytes"),
        ("pubkey", "me", "expected an address"),
        ({"option": "u8"}, 256, "expected u8: 0 to 255"),
        ({"vec": "u8"}, [1, None], "expected u8"),
        ({"vec": "u8"}, "c0", "expected a list of u8"),
        ({"array": ["u8", 2]}, [1], "expected a list of 2 u8"),
        ({"tuple": ["u8", "string"]}, [1], "expected a list of 2"),
        ({"defined": "Rules"}, {"motto": "x"}, "`least_age` (u8) is missing"),
        ({"defined": "Rules"}, {"least_age": 1, "moto": "x"}, "did you mean `motto`?"),
        ({"defined": "Point"}, {"x": 1, "y": 2}, "expected a list of 2"),
        ({"defined": "Door"}, "Ajar", "expected one of Open, ForMembers, Rooms"),
        ({"defined": "Door"}, {}, "expected one of Open, ForMembers, Rooms"),
        ({"defined": "Door"}, None, "expected one of Open, ForMembers, Rooms"),
        ({"defined": "Door"}, "Rooms", "`Rooms` has fields: write {Rooms: …}"),
        ({"defined": "Door"}, {"Open": [1]}, "`Open` has no fields"),
        ({"defined": "Door"}, {"Rooms": [[101]]}, "expected a list of 2"),
        (
            {"defined": "Door"},
            {"Open": None, "Rooms": [[], True]},
            "expected one of Open, ForMembers, Rooms, found Open, Rooms; null drops an inherited",
        ),
        (TWICE, {"pair": {"items": [1, 2, 3]}}, "expected a list of 2"),
        (TWICE, {"pair": {"items": [1, 256]}}, "expected u8: 0 to 255"),
        ({"defined": "Name"}, 1, "expected string"),
        ({"defined": "Nothing"}, 1, "the IDL does not say what Nothing is"),
    ],
    ids=str,
)
def test_refused(kind: Any, value: Any, message: str) -> None:
    [(path, told)] = problems(kind, {"value": value})
    assert path.startswith("arguments.value")
    assert message in told
    with pytest.raises(IdlError):
        encoded(kind, {"value": value})


def test_an_option_may_be_left_out_and_nothing_else() -> None:
    assert problems({"option": "u8"}, {}) == []
    assert encoded({"option": "u8"}, {}) == {"value": None}
    assert problems("u8", {}) == [("arguments", "`value` (u8) is missing")]
    with pytest.raises(IdlError, match="is missing"):
        encoded("u8", {})


def test_what_has_no_form_in_the_file_is_said() -> None:
    [(path, told)] = problems("f64", {"value": 1})
    assert (path, told) == (
        "arguments.value",
        "arguments of the type f64 cannot be written here",
    )


@pytest.mark.parametrize("kind", ["pubkey", "string", "bytes", "u64", {"option": "i8"}], ids=str)
def test_a_reference_may_stand_for_a_key_a_text_or_a_number(kind: Any) -> None:
    assert problems(kind, {"value": Reference("env", "X")}) == []


def test_accounts_that_the_settings_name() -> None:
    good = initialize(
        {"value": 1}, at="house", accounts={"index": KEY, "house": Reference("env", "HOUSE")}
    )
    assert list(check(good, idl("u8"))) == []
    bad = initialize({"value": 1}, at="barn", accounts={"indx": KEY, "house": "here"})
    assert dict(check(bad, idl("u8"))) == {
        "at": "begin has no account `barn`; there are house, index, payer",
        "accounts.indx": "begin has no account `indx`; did you mean `index`?",
        "accounts.house": "expected an address: 32 bytes in base58, or a reference",
    }


def test_names_of_the_older_kind_may_be_written_either_way() -> None:
    older = idl("u8")
    older["instructions"][0] |= {
        "name": "beginNow",
        "args": [{"name": "firstValue", "type": "u8"}],
        "accounts": [{"name": "theHouse", "isMut": True}],
    }
    for instruction, argument, at in (
        ("beginNow", "firstValue", "theHouse"),
        ("begin_now", "first_value", "the_house"),
    ):
        found = Initialize(instruction=instruction, account="House", arguments={argument: 1}, at=at)
        assert list(check(found, older)) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"vec": None},
        {"array": 1},
        {"array": ["u8", {"generic": []}]},
        {"tuple": 1},
        {"option": None},
        {"generic": []},
        {"defined": []},
        {"defined": {"name": "Pair", "generics": [{"kind": "const"}, 1]}},
        {},
        [],
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [1, [1], {"a": 1}, "a"], ids=str)
def test_types_of_odd_shape_are_told_not_stumbled_over(odd: Any, value: Any) -> None:
    for place in (odd, {"vec": odd}, {"option": odd}):
        list(check(initialize({"value": value}), idl(place)))
    broken = idl({"defined": "T"})
    for body in ({"kind": "enum", "variants": odd}, {"kind": "struct", "fields": odd}, odd):
        broken["types"] = [{"name": "T", "generics": odd, "type": body}]
        list(check(initialize({"value": value}), broken))
    broken["instructions"][0]["accounts"] = [{"name": "a", "accounts": odd}]
    list(check(initialize({"value": value}), broken))
