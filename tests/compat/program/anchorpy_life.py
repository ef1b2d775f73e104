"""A market from its creation to the claim, by anchorpy: python anchorpy_life.py SCENE.json

Runs in an environment of its own, which has nothing of this project. The last line that it prints
says what it read, as JSON: names in snake_case, numbers as text, bytes in hex.
"""

from __future__ import annotations

import asyncio
import copyreg
import json
import re
import sys
from pathlib import Path
from typing import Any

import httpx
from anchorpy import Context, Idl, Program, Provider, Wallet
from anchorpy.program.event import EventParser
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.types import TxOpts  # type: ignore[attr-defined]  # an older one than ours
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
SYSTEM_PROGRAM = Pubkey.from_string("11111111111111111111111111111111")
OPTIONS = TxOpts(preflight_commitment=Confirmed)

# anchorpy copies arguments, and solders of that time cannot be copied
copyreg.pickle(Pubkey, lambda key: (Pubkey.from_bytes, (bytes(key),)))


async def live(scene: dict[str, Any]) -> dict[str, Any]:
    keys = {name: Keypair.from_bytes(bytes(raw)) for name, raw in scene["keys"].items()}
    who = {name: key.pubkey() for name, key in keys.items()}
    client = AsyncClient(scene["rpc"], Confirmed)
    provider = Provider(client, Wallet(keys["authority"]), OPTIONS)
    idl = Idl.from_json(Path(scene["old_idl"]).read_text())
    program = Program(idl, Pubkey.from_string(scene["program"]), provider)
    mint = Pubkey.from_string(scene["mint"])
    tokens = {name: Pubkey.from_string(text) for name, text in scene["tokens"].items()}
    stable = scene["kind"] == "stable"

    def derived(*seeds: bytes) -> Pubkey:
        return Pubkey.find_program_address(list(seeds), program.program_id)[0]

    config = derived(b"global_config")
    number = int(scene["market_id"]).to_bytes(8, "little")
    market = derived(b"market", number, bytes(who["authority"]))
    vaults = {side: derived(side.encode() + b"_vault", bytes(market)) for side in ("yes", "no")}
    both = {"yes_vault": vaults["yes"], "no_vault": vaults["no"]}

    def position(name: str) -> Pubkey:
        return derived(b"position", bytes(who[name]), bytes(market))

    def money(**more: Pubkey) -> dict[str, Pubkey]:
        """Accounts of Stable markets; the program's own address stands for one left out."""
        names = {**more, "token_program": TOKEN_PROGRAM}
        return {name: key if stable else program.program_id for name, key in names.items()}

    async def send(name: str, arguments: list[Any], accounts: dict[str, Pubkey], *by: str) -> Any:
        signers = [keys[one] for one in by]
        context = Context(accounts=accounts, signers=signers, options=OPTIONS)
        signature = await program.rpc[name](*arguments, ctx=context)
        await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.05)
        return signature

    async def advance(seconds: int) -> None:
        """The localnet's own method."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "localnet_advanceClock"}
        async with httpx.AsyncClient() as http:
            answer = await http.post(
                scene["rpc"], json={**call, "params": [{"seconds": seconds}]}, timeout=30
            )
        assert "result" in answer.json(), answer.text

    side = program.type["Side"]
    kinds = program.type["MarketKind"]
    terms = scene["terms"]
    await send(
        "create_market",
        [
            scene["market_id"],
            kinds.Stable() if stable else kinds.Degen(),
            terms["betting_ends_at"],
            terms["resolution_time"],
            Pubkey.from_string(terms["oracle"]),
            *(terms[name] for name in ("title", "description", "category", "metadata_uri")),
        ],
        {
            "authority": who["authority"],
            "config": config,
            "market": market,
            **both,
            "system_program": SYSTEM_PROGRAM,
            **money(mint=mint),
        },
        "authority",
    )
    terms_version = (await program.account["Market"].fetch(market)).terms_version
    for name, chosen in (("yes", side.Yes()), ("no", side.No())):
        await send(
            "place_bet",
            [chosen, scene["bets"][name], 0, terms_version],
            {
                "user": who[name],
                "config": config,
                "market": market,
                "position": position(name),
                "vault": vaults[name],
                "system_program": SYSTEM_PROGRAM,
                **money(user_token=tokens[name]),
            },
            name,
        )
    await advance(3_700)
    read_only = {"config": config, "market": market}
    await send(
        "resolve_market", [side.Yes()], {"resolver": who["resolver"], **read_only}, "resolver"
    )
    await advance((await program.account["Market"].fetch(market)).dispute_window)
    await send("finalize_market", [], {"user": who["no"], **read_only, **both, **money()}, "no")
    claimed = await send(
        "claim_winnings",
        [],
        {
            "user": who["yes"],
            "market": market,
            "position": position("yes"),
            "vault": vaults["yes"],
            **money(receiver_token=tokens["yes"]),
        },
    )
    found = {
        "global_config": await program.account["GlobalConfig"].fetch(config),
        "market": await program.account["Market"].fetch(market),
        "position": await program.account["Position"].fetch(position("yes")),
    }
    read = {name: plain(account) for name, account in found.items()}
    read["event"] = await event(client, program, claimed)
    await client.close()
    return read


async def event(client: Any, program: Program, signature: Signature) -> Any:
    """The claim's event, from the log of its transaction."""
    answer = await client.get_transaction(signature, max_supported_transaction_version=0)
    meta = answer.value.transaction.meta
    heard: list[Any] = []
    EventParser(program.program_id, program.coder).parse_logs(meta.log_messages, heard.append)
    (one,) = heard
    return {"name": one.name, **plain(one.data)}


def plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Pubkey):
        return str(value)
    if isinstance(value, list | bytes):
        return bytes(value).hex()
    fields = [name for name in vars(value) if not name.startswith("_")]
    if not fields:  # a variant of an enum
        return type(value).__name__.lower()
    return {snake(name): plain(getattr(value, name)) for name in fields}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


print(json.dumps(asyncio.run(live(json.loads(Path(sys.argv[1]).read_text())))))
