"""The codec on IDLs of both kinds: the shipped ones and one with everything in it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from cbctl.clients.solana.idl.borsh import Codec
from cbctl.clients.solana.idl.model import (
    Array,
    Defined,
    Idl,
    IdlError,
    Option,
    Primitive,
    Type,
    Vec,
    snake,
)
from cbctl.clients.solana.idl.parse import parse
from cbctl.clients.solana.idl.primitive import Elsewhere
from cbctl.clients.solana.idl.program import Program
from cbctl.clients.solana.loader import programdata_address

ARTIFACTS = Path(__file__).parents[4] / "programs/crypto_bet/artifacts"
ADDRESS = Keypair().pubkey()
KEY = str(Keypair().pubkey())

RICH: dict[str, Any] = {
    "address": KEY,
    "metadata": {"name": "rich", "version": "1.0.0", "spec": "0.1.0"},
    "instructions": [
        {
            "name": "open_shop",
            "discriminator": [1, 2, 3],
            "accounts": [
                {"name": "owner", "signer": True, "writable": True},
                {"name": "group", "accounts": [
                    {"name": "shop", "writable": True, "pda": {"seeds": [
                        {"kind": "const", "value": [115, 104, 111, 112]},
                        {"kind": "account", "path": "owner"},
                        {"kind": "arg", "path": "terms.number"},
                        {"kind": "arg", "path": "title"},
                    ]}},
                    {"name": "till", "pda": {
                        "seeds": [{"kind": "account", "path": "shop"}],
                        "program": {"kind": "account", "path": "token_program"}}},
                ]},
                {"name": "code", "pda": {
                    "seeds": [{"kind": "const", "value": list(bytes(Pubkey.from_string(KEY)))}],
                    "program": {"kind": "const", "value": list(bytes(Pubkey.from_string(
                        "BPFLoaderUpgradeab1e11111111111111111111111")))}}},
                {"name": "self", "address": KEY},
                {"name": "mint", "pda": {"seeds": [
                    {"kind": "account", "path": "shop.currency", "account": "Shop"}]}},
                {"name": "referrer", "optional": True},
                {"name": "token_program"},
                {"name": "program_data"},
            ],
            "args": [
                {"name": "title", "type": "string"},
                {"name": "terms", "type": {"defined": {"name": "Terms"}}},
            ],
        }
    ],
    "accounts": [{"name": "Shop", "discriminator": [9, 9, 9, 9]}],
    "events": [{"name": "Sold", "discriminator": [7, 7]}],
    "errors": [{"code": 6000, "name": "Closed"}],
    "types": [
        {"name": "Terms", "type": {"kind": "struct", "fields": [
            {"name": "number", "type": "u64"},
            {"name": "kind", "type": {"defined": {"name": "Kind"}}},
            {"name": "pair", "type": {"defined": {"name": "Pair", "generics": [
                {"kind": "type", "type": "u16"}, {"kind": "const", "value": "2"}]}}},
            {"name": "note", "type": {"option": "bytes"}},
            {"name": "old", "type": {"coption": "pubkey"}},
            {"name": "ratio", "type": "f64"},
            {"name": "deep", "type": {"vec": {"array": ["i128", 2]}}},
            {"name": "point", "type": {"defined": {"name": "Point"}}},
            {"name": "id", "type": {"defined": {"name": "Id"}}},
        ]}},
        {"name": "Kind", "type": {"kind": "enum", "variants": [
            {"name": "Plain"},
            {"name": "Named", "fields": [{"name": "size", "type": "u8"}]},
            {"name": "Listed", "fields": ["bool", "string"]},
        ]}},
        {"name": "Pair", "generics": [{"kind": "type", "name": "T"},
                                      {"kind": "const", "name": "N", "type": "usize"}],
         "type": {"kind": "struct", "fields": [
             {"name": "items", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}]}},
        {"name": "Point", "type": {"kind": "struct", "fields": ["i8", "i8"]}},
        {"name": "Id", "type": {"kind": "type", "alias": "u256"}},
        {"name": "Shop", "type": {"kind": "struct", "fields": [
            {"name": "currency", "type": "pubkey"}, {"name": "sales", "type": "u32"}]}},
        {"name": "Sold", "type": {"kind": "struct", "fields": [{"name": "count", "type": "u8"}]}},
    ],
}  # fmt: skip
TERMS: dict[str, Any] = {
    "number": 5,
    "kind": {"Listed": [True, "a"]},
    "pair": {"items": [1, 2]},
    "note": "00ff",
    "old": None,
    "ratio": 0.5,
    "deep": [[-1, 2**127 - 1]],
    "point": [-1, 1],
    "id": 2**256 - 1,
}
VALUES = {"title": "Öl", "terms": TERMS}


def rich() -> Program:
    return Program.from_text(json.dumps(RICH), ADDRESS)


def test_arguments_are_read_back_as_they_were() -> None:
    assert rich().canonical("openShop", VALUES) == VALUES


def test_accounts_are_resolved() -> None:
    owner, currency = Keypair().pubkey(), Keypair().pubkey()
    asked: list[Any] = []

    def field_of(address: Pubkey, kind: str, path: tuple[str, ...]) -> str:
        asked.append((address, kind, path))
        return str(currency)

    found = rich().accounts("open_shop", VALUES, {"owner": owner}, field_of)
    token = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
    number = (5).to_bytes(8, "little")
    shop = Pubkey.find_program_address([b"shop", bytes(owner), number, "Öl".encode()], ADDRESS)[0]
    assert found == {
        "owner": owner,
        "shop": shop,
        "till": Pubkey.find_program_address([bytes(shop)], token)[0],
        "code": programdata_address(ADDRESS),  # of this deployment, not the IDL's own
        "self": ADDRESS,
        "mint": Pubkey.find_program_address([bytes(currency)], ADDRESS)[0],
        "token_program": token,
        "program_data": programdata_address(ADDRESS),
    }
    assert asked == [(shop, "Shop", ("currency",))]
    wire = rich().build("open_shop", VALUES, found)
    assert bytes(wire.data)[:3] == b"\1\2\3"
    assert [meta.pubkey for meta in wire.accounts][6] == ADDRESS  # the optional one, left out
    assert [(meta.is_signer, meta.is_writable) for meta in wire.accounts][:2] == [
        (True, True),
        (False, True),
    ]


def test_account_that_nobody_can_tell() -> None:
    with pytest.raises(IdlError, match=r"accounts\.owner: open_shop needs it"):
        rich().accounts("open_shop", VALUES, {})
    with pytest.raises(IdlError, match=r"accounts\.onwer: open_shop has no such account"):
        rich().accounts("open_shop", VALUES, {"onwer": ADDRESS})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("number", -1, "terms.number: -1 does not fit u64 (0 to 18446744073709551615)"),
        ("number", True, "terms.number: expected a whole number, not True"),
        ("number", 1.0, "terms.number: expected a whole number, not 1.0"),
        ("kind", "Odd", "terms.kind: no variant 'Odd'; there are Listed, Named, Plain"),
        ("kind", {"Named": {}}, "terms.kind.Named.size: is missing"),
        ("kind", {"Named": {"size": 256}}, "terms.kind.Named.size: 256 does not fit u8 (0 to 255)"),
        ("kind", {"Listed": [True]}, "terms.kind.Listed: needs 2 items, not 1"),
        ("kind", 3, "terms.kind: expected the name of a variant, not 3"),
        ("pair", {"items": [1]}, "terms.pair.items: needs 2 items, not 1"),
        ("pair", {"items": [1, 1 << 16]}, "terms.pair.items[1]: 65536 does not fit u16"),
        ("note", "xx", "terms.note: expected bytes as hex text, not 'xx'"),
        ("note", 7, "terms.note: expected bytes as hex text, not 7"),
        ("kind", {"Plain": [1]}, "terms.kind.Plain: needs 0 items, not 1"),
        ("old", "abc", "terms.old: 'abc' is not an address (base58)"),
        ("ratio", "1", "terms.ratio: expected a number, not '1'"),
        ("ratio", float("nan"), "terms.ratio: expected a number, not nan"),
        ("deep", {}, "terms.deep: expected a list, not {}"),
        ("deep", [[1, "2"]], "terms.deep[0][1]: expected a whole number, not '2'"),
        ("point", [1, 2, 3], "terms.point: needs 2 items, not 3"),
        ("point", "ab", "terms.point: expected a list, not 'ab'"),
        ("extra", 1, "terms.extra: no such field; there are deep, id,"),
    ],
)
def test_errors_name_the_path(path: str, value: Any, words: str) -> None:
    with pytest.raises(IdlError) as caught:
        rich().canonical("open_shop", {"title": "x", "terms": TERMS | {path: value}})
    assert str(caught.value).startswith(f"arguments.{words}")


def test_options_may_be_left_out() -> None:
    given = {name: value for name, value in TERMS.items() if name not in ("note", "old")}
    read = rich().canonical("open_shop", {"title": "x", "terms": given})["terms"]
    assert read == TERMS | {"note": None}


def test_what_is_kept_elsewhere_is_text_and_may_mean_a_number() -> None:
    given = {"title": Elsewhere("5"), "terms": TERMS | {"number": Elsewhere("5")}}
    read = rich().canonical("open_shop", given)
    assert (read["title"], read["terms"]["number"]) == ("5", 5)
    read = rich().canonical(
        "open_shop", {"title": "", "terms": TERMS | {"point": [Elsewhere("-7"), 1]}}
    )
    assert read["terms"]["point"] == [-7, 1]
    for wrong in ("", "+5", "5.0", "0x5", "\u0665", "9" * 99):
        with pytest.raises(IdlError, match=r"terms\.number: expected a whole number"):
            rich().canonical("open_shop", given | {"terms": TERMS | {"number": Elsewhere(wrong)}})
    with pytest.raises(IdlError, match="expected a whole number, not '5'"):
        rich().canonical("open_shop", given | {"terms": TERMS | {"number": "5"}})


def test_accounts_and_events_are_decoded() -> None:
    program = rich()
    key = Keypair().pubkey()
    data = bytes([9, 9, 9, 9]) + bytes(key) + (7).to_bytes(4, "little") + b"room to grow"
    assert program.decode("shop", data) == {"currency": str(key), "sales": 7}
    with pytest.raises(IdlError, match="another type"):
        program.decode("Shop", b"\0" * 60)
    with pytest.raises(IdlError, match=r"Shop\.sales: the data ends at byte 38, 2 too early"):
        program.decode("Shop", data[:38])

    def line(raw: bytes) -> str:
        return f"Program data: {base64.b64encode(raw).decode()}"

    other = Keypair().pubkey()
    logs = [
        f"Program {ADDRESS} invoke [1]",
        line(b"\7\7\1"),
        f"Program {other} invoke [2]",
        line(b"\7\7\2"),  # another program's, with the same bytes
        f"Program {other} success",
        "Program log: Program data: hello",
        line(b"\7\7\3"),
        line(b"other"),
        "Program data: %%%",
        f"Program {ADDRESS} success",
        line(b"\7\7\4"),
        "Log truncated",
    ]
    assert [event.fields["count"] for event in program.events(logs)] == [1, 3]


def test_unknown_names() -> None:
    with pytest.raises(IdlError, match="the IDL has no close; there are open_shop"):
        rich().instruction("close")
    with pytest.raises(IdlError, match="the IDL has no account type Till; there are Shop"):
        rich().account_type("Till")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "IDL: not JSON"),
        ("[]", "IDL: not an Anchor IDL"),
        ('{"instructions": 5}', "IDL: not an Anchor IDL"),
        ('{"instructions": [5]}', r"instructions\[0\]: must be an object"),
        ('{"instructions": [{}]}', r"instructions\[0\].name: expected str"),
        ('{"metadata": {"spec": "9"}, "instructions": []}', "metadata.spec: '9' is not known"),
        ('{"address": "x", "instructions": []}', "address: 'x' is not an address"),
        ('{"instructions": [{"name": "a", "args": [{"name": "b", "type": "u7"}]}]}',
         r"instructions\[0\].args\[0\].type: 'u7' is not a known type"),
        ('{"instructions": [], "types": [{"name": "T", "type": {"kind": "union"}}]}',
         r"types\[0\].type.kind: 'union' is not known"),
        ('{"instructions": [{"name": "a", "accounts": [{"name": "b", "pda": '
         '{"seeds": [{"kind": "guess"}]}}]}]}',
         r"instructions\[0\].accounts\[0\].pda.seeds\[0\].kind: 'guess' is not known"),
    ],
)  # fmt: skip
def test_what_is_no_idl(text: str, words: str) -> None:
    with pytest.raises(IdlError, match=words):
        parse(text)


def test_shipped_idls_of_both_kinds_say_the_same() -> None:
    new = Program.from_text((ARTIFACTS / "crypto_bet.idl.json").read_text(), ADDRESS)
    old = Program.from_text((ARTIFACTS / "crypto_bet.idl-0.29.json").read_text(), ADDRESS)
    assert new.idl.instructions.keys() == old.idl.instructions.keys()
    assert new.idl.accounts == old.idl.accounts
    assert new.idl.errors == old.idl.errors
    for name, instruction in new.idl.instructions.items():
        older = old.idl.instructions[name]
        assert instruction.discriminator == older.discriminator
        assert instruction.arguments == older.arguments
        assert [(item.name, item.signer, item.writable) for item in instruction.accounts] == [
            (item.name, item.signer, item.writable) for item in older.accounts
        ]
    for name, definition in new.idl.types.items():
        assert old.idl.types[name] == definition


def test_older_kind_without_discriminators() -> None:
    older = {
        "version": "0.1.0",
        "name": "old",
        "metadata": {"address": KEY},
        "instructions": [
            {
                "name": "placeBet",
                "accounts": [
                    {"name": "bettor", "isMut": True, "isSigner": True},
                    {
                        "name": "bet",
                        "isMut": True,
                        "isSigner": False,
                        "pda": {
                            "seeds": [
                                {"kind": "const", "type": "string", "value": "bet"},
                                {"kind": "account", "type": "publicKey", "path": "bettor"},
                            ]
                        },
                    },
                    {"name": "systemProgram", "isMut": False, "isSigner": False},
                ],
                "args": [{"name": "maxAmount", "type": "u64"}],
            }
        ],
        "accounts": [
            {
                "name": "Bet",
                "type": {"kind": "struct", "fields": [{"name": "owner", "type": "publicKey"}]},
            }
        ],
        "events": [{"name": "Placed", "fields": [{"name": "a", "type": "u8", "index": False}]}],
    }
    idl = parse(json.dumps(older))
    assert idl.address == KEY
    program = Program(idl, ADDRESS)
    bettor = Keypair().pubkey()
    accounts = program.accounts("place_bet", {"maxAmount": 3}, {"bettor": bettor})
    assert accounts["bet"] == Pubkey.find_program_address([b"bet", bytes(bettor)], ADDRESS)[0]
    wire = program.build("placeBet", {"max_amount": 3}, accounts)
    expected = hashlib.sha256(b"global:place_bet").digest()[:8] + (3).to_bytes(8, "little")
    assert bytes(wire.data) == expected
    raw = hashlib.sha256(b"account:Bet").digest()[:8] + bytes(bettor)
    assert program.decode("Bet", raw) == {"owner": str(bettor)}
    assert "Placed" in idl.events


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("initializeProgram", "initialize_program"),
        ("InitializeProgram", "initialize_program"),
        ("fee_bps", "fee_bps"),
        ("usdcMint", "usdc_mint"),
        ("IDLAddress", "idl_address"),
        ("side2Pool", "side2_pool"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert snake(name) == expected


NUMBERS = [(sign, bits) for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)]


def _values(kind: Type) -> st.SearchStrategy[Any]:
    if isinstance(kind, Option):
        return st.none() | _values(kind.item)
    if isinstance(kind, Vec):
        return st.lists(_values(kind.item), max_size=4)
    if isinstance(kind, Array):
        assert isinstance(kind.length, int)
        return st.lists(_values(kind.item), min_size=kind.length, max_size=kind.length)
    assert isinstance(kind, Primitive)
    if kind.name == "bool":
        return st.booleans()
    if kind.name == "string":
        return st.text(max_size=9)
    if kind.name == "bytes":
        return st.binary(max_size=9).map(bytes.hex)
    if kind.name == "pubkey":
        return st.binary(min_size=32, max_size=32).map(lambda raw: str(Pubkey.from_bytes(raw)))
    bits = int(kind.name[1:])
    signed = kind.name[0] == "i"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high)


PRIMITIVES = ["bool", "string", "bytes", "pubkey", *(f"{sign}{bits}" for sign, bits in NUMBERS)]
TYPES: st.SearchStrategy[Type] = st.recursive(
    st.sampled_from(PRIMITIVES).map(Primitive),
    lambda inner: st.one_of(
        inner.map(Option),
        inner.map(lambda item: Option(item, wide=True)),
        inner.map(Vec),
        inner.map(lambda item: Array(item, 2)),
    ),
    max_leaves=4,
)


@given(st.data())
def test_everything_encoded_is_decoded_to_the_last_byte(data: st.DataObject) -> None:
    kind = data.draw(TYPES)
    value = data.draw(_values(kind))
    codec = Codec({})
    raw = codec.encode(kind, value, "v")
    assert codec.decode(kind, raw, 0, "v") == (value, len(raw))
    if raw:
        with pytest.raises(IdlError):
            codec.decode(kind, raw[:-1], 0, "v")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    idl: Idl = parse(json.dumps(RICH))
    try:
        value, end = Codec(idl.types).decode(Defined("Terms"), raw, 0, "v")
    except IdlError:
        return
    assert end <= len(raw)
    assert isinstance(value, dict)


def test_type_that_contains_itself_ends() -> None:
    idl = parse(
        json.dumps(
            {
                "instructions": [],
                "types": [{"name": "T", "type": {"kind": "struct", "fields": [
                    {"name": "t", "type": {"defined": "T"}}]}}],
            }
        )
    )  # fmt: skip
    with pytest.raises(IdlError, match="levels deep"):
        Codec(idl.types).decode(Defined("T"), b"\0" * 100, 0, "v")
