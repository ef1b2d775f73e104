"""A market from its creation to the claim, by cbctl's own codec and sender."""

from __future__ import annotations

from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from tests.compat.program.stage import BETS, Scene
from tests.integration.program.support import IDL
from tests.testbed.context import FakeContext
from tests.unit.programs.markets import Kind
from tests.unit.programs.tokens import TOKEN_PROGRAM

from cbctl.clients.solana.idl.program import Program
from cbctl.clients.solana.sender import Order, Sender


def live(scene: Scene) -> dict[str, Any]:
    """What it read: names in snake_case, numbers as text, bytes in hex."""
    stage, keys, stable = scene.stage, scene.people, scene.kind == Kind.STABLE
    net = stage.net
    program = Program.from_text(IDL.read_text(), stage.program)
    who = {name: key.pubkey() for name, key in keys.items()}
    purse = {name: get_associated_token_address(key, stage.mint) for name, key in who.items()}

    def money(**more: Pubkey) -> dict[str, Pubkey]:
        return {**more, "token_program": TOKEN_PROGRAM} if stable else {}

    def send(
        name: str, arguments: dict[str, Any], given: dict[str, Pubkey], *by: Keypair
    ) -> tuple[dict[str, Pubkey], str]:
        """All accounts, also those that the IDL derives, and the signature."""
        accounts = program.accounts(name, arguments, given)
        wire = program.build(name, arguments, accounts)
        payer = keys["authority"]
        sent = Sender(net.rpc, payer, FakeContext()).one(Order(name, (wire,), by))
        return accounts, sent.signatures[-1]

    created, _ = send(
        "create_market",
        {"market_id": scene.market_id, "kind": scene.kind.name.capitalize(), **scene.terms},
        {"authority": who["authority"], **money(mint=stage.mint)},
    )
    market = created["market"]
    vaults = {"yes": created["yes_vault"], "no": created["no_vault"]}
    account = net.rpc.account(market)
    assert account is not None
    terms = program.decode("Market", account.data)
    window = terms["dispute_window"]
    for name, amount in BETS.items():
        bet = {
            "side": name.capitalize(),
            "amount": amount,
            "min_payout": 0,
            "terms_version": terms["terms_version"],
        }
        given = {"user": who[name], "market": market, "vault": vaults[name]}
        send("place_bet", bet, {**given, **money(user_token=purse[name])}, keys[name])
    net.call("localnet_advanceClock", {"seconds": 3_700})
    resolver = {"resolver": stage.resolver.pubkey(), "market": market}
    send("resolve_market", {"result": "Yes"}, resolver, stage.resolver)
    net.call("localnet_advanceClock", {"seconds": window})
    send("finalize_market", {}, {"user": who["no"], "market": market, **money()}, keys["no"])
    claim = {"user": who["yes"], "market": market, "vault": vaults["yes"]}
    claimed, signature = send("claim_winnings", {}, {**claim, **money(receiver_token=purse["yes"])})

    found: dict[str, tuple[str, Pubkey]] = {
        "global_config": ("GlobalConfig", created["config"]),
        "market": ("Market", market),
        "position": ("Position", claimed["position"]),
    }
    read: dict[str, Any] = {}
    for name, (kind, address) in found.items():
        account = net.rpc.account(address)
        assert account is not None
        read[name] = plain(program.decode(kind, account.data))
    landed = net.rpc.transaction(signature)
    assert landed is not None
    (event,) = program.events(landed["meta"]["logMessages"])
    read["event"] = {"name": event.name, **plain(event.fields)}
    return read


def plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {name: choice(name, inner) for name, inner in value.items()}
    return str(value)


CHOICES = {"pause_scope", "state", "kind", "proposed", "result"}


def choice(name: str, value: Any) -> Any:
    return value.lower() if name in CHOICES else plain(value)
