"""A market from its creation to the last payment, driven by the command's own client.

It knows nothing but the IDL: what it sends must be accepted, and what it reads must be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.test_layout import CURRENT, LEGACY
from tests.unit.programs.tokens import TOKEN_PROGRAM

from cbctl.clients.solana.idl.program import Program as Client

TEXTS = {"title": "Łódź?", "description": "d", "category": "", "metadata_uri": "ipfs://x"}


class Caller:
    def __init__(self, house: House, path: Path) -> None:
        self.house = house
        self.client = Client.from_text(path.read_text(), house.program.id)
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def call(
        self,
        name: str,
        arguments: dict[str, Any],
        accounts: dict[str, Pubkey],
        *signers: Keypair,
    ) -> None:
        where = self.client.accounts(name, arguments, accounts)
        outcome = self.house.must(self.client.build(name, arguments, where), *signers)
        self.heard += [
            (event.name, dict(event.fields)) for event in self.client.events(outcome.logs)
        ]

    def read(self, name: str, address: Pubkey) -> dict[str, Any]:
        return self.client.decode(name, self.house.chain.data(address))


@pytest.mark.parametrize("path", [CURRENT, LEGACY], ids=["0.1.0", "0.29"])
def test_a_whole_life(house: House, kind: Kind, path: Path) -> None:
    caller = Caller(house, path)
    owner, yes, no = house.person(), house.person(), house.person()
    at = Addresses.of(house.program.id, 300, owner.pubkey(), kind)
    stable = kind == Kind.STABLE

    # the older form of an IDL has no seeds: there a client gives every address
    known: dict[str, Pubkey] = {"market": at.market}
    if path == LEGACY:
        known |= {"config": at.config}
    vaults = {"yes_vault": at.vault(Side.YES), "no_vault": at.vault(Side.NO)}
    all_vaults = vaults if path == LEGACY else {}
    program = {"token_program": TOKEN_PROGRAM} if stable else {}

    def position(user: Keypair) -> dict[str, Pubkey]:
        return {"position": at.position(user.pubkey())} if path == LEGACY else {}

    def purse(name: str, owner: Pubkey) -> dict[str, Pubkey]:
        return program | {name: house.purse(owner)} if stable else {}

    terms = {
        "market_id": 300,
        "kind": "Stable" if stable else "Degen",
        "betting_ends_at": house.now + 7_200,
        "resolution_time": house.now + 7_200,
        "oracle": str(Pubkey.default()),
        **TEXTS,
    }
    made = {"authority": owner.pubkey(), **(known if path == LEGACY else {}), **all_vaults}
    mint = program | {"mint": house.mint} if stable else {}
    caller.call("create_market", terms, {**made, **mint}, owner)

    for user, side, amount in ((yes, Side.YES, 5_000_000), (no, Side.NO, 7_000_001)):
        caller.call(
            "place_bet",
            {
                "side": side.name.capitalize(),
                "amount": amount,
                "min_payout": 0,
                "terms_version": 1,
            },
            {
                "user": user.pubkey(),
                "vault": at.vault(side),
                **known,
                **position(user),
                **purse("user_token", user.pubkey()),
            },
            user,
        )
    assert caller.read("Market", at.market)["yes_pool"] == 5_000_000
    shares = caller.read("Position", at.position(no.pubkey()))
    assert (shares["no_shares"], shares["claimed"]) == (7_000_001, False)

    house.move_clock(house.now + 7_200)
    resolver = house.resolver
    caller.call(
        "resolve_market", {"result": "Yes"}, {"resolver": resolver.pubkey(), **known}, resolver
    )
    house.move_clock(house.now + house.settings.dispute_window)
    caller.call(
        "finalize_market",
        {},
        {"user": house.anybody.pubkey(), **known, **all_vaults, **program},
    )
    caller.call(
        "claim_winnings",
        {},
        {
            "user": yes.pubkey(),
            "market": at.market,
            "vault": at.vault(Side.YES),
            **position(yes),
            **purse("receiver_token", yes.pubkey()),
        },
    )
    market = caller.read("Market", at.market)
    assert (market["state"], market["result"]) == ("Resolved", "Yes")
    assert market["paid"] == market["payout_pool"] == 12_000_001 - 12_000_001 * 250 // 10_000
    assert caller.read("GlobalConfig", at.config)["total_markets"] == 1
    assert [name for name, _ in caller.heard] == [
        "MarketCreated",
        "BetPlaced",
        "BetPlaced",
        "MarketStateChanged",
        "MarketStateChanged",
        "PositionPaid",
    ]
    assert [values["sequence"] for _, values in caller.heard] == [1, 2, 3, 4, 5, 6]
