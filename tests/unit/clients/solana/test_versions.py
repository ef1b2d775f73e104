"""Where accounts have their versions, by the IDL; and a deploy that goes on without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from tests.testbed.context import FakeContext

from cbctl.clients.solana.idl.parse import parse
from cbctl.clients.solana.idl.versions import Versioned, versioned
from cbctl.clients.solana.rpc import Rpc
from cbctl.steps.program._versions import above, highest

IDL = Path(__file__).parents[4] / "programs/crypto_bet/artifacts/crypto_bet.idl.json"


def test_the_platforms_own_accounts_begin_with_it() -> None:
    found = {one.name: (one.offset, one.width) for one in versioned(parse(IDL.read_text()))}
    assert found == dict.fromkeys(("GlobalConfig", "Market", "Position"), (8, 1))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([("owner", "pubkey"), ("flag", "bool"), ("version", "u16")], (8 + 33, 2)),
        ([("a", "u128"), ("b", "i8"), ("version", "u64"), ("c", "string")], (8 + 17, 8)),
        ([("name", "string"), ("version", "u8")], None),  # at no fixed place
        ([("list", {"vec": "u8"}), ("version", "u8")], None),
        ([("version", "string")], None),  # no number
        ([("owner", "pubkey")], None),
    ],
)
def test_any_place_that_is_fixed(
    fields: list[tuple[str, Any]], place: tuple[int, int] | None
) -> None:
    mark = list(range(8))
    idl = {
        "address": "11111111111111111111111111111111",
        "metadata": {"name": "x", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "accounts": [{"name": "Thing", "discriminator": mark}],
        "types": [
            {
                "name": "Thing",
                "type": {"kind": "struct", "fields": [{"name": n, "type": t} for n, t in fields]},
            }
        ],
    }
    expected = [] if place is None else [Versioned("Thing", bytes(mark), *place)]
    assert list(versioned(parse(json.dumps(idl)))) == expected


def test_an_endpoint_that_does_not_list_accounts_stops_nothing() -> None:
    ctx, nobody = FakeContext(), Rpc("http://127.0.0.1:9", patience=0.0)
    assert highest(ctx, nobody, Pubkey.default(), IDL) == {}
    assert above(ctx, nobody, Pubkey.default(), IDL, {"Market": 1}) == ()
    assert all("the versions of the program's accounts cannot be read" in s for s in ctx.said)
    assert len(ctx.said) == 2
    assert highest(ctx, nobody, Pubkey.default(), None) == {}  # without an IDL nothing is asked
    nobody.close()
