"""A localnet with the program, its configuration and a token, and people who bet.

Clients in any language get everything they need to know as one JSON file.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from spl.token.instructions import create_idempotent_associated_token_account, transfer
from spl.token.models import TransferParams
from tests.integration.program.support import (
    IDL,
    OLD_IDL,
    SOL,
    Localnet,
    Wallet,
    initialization,
    run,
)
from tests.unit.programs.crypto_bet import config_address, read_config
from tests.unit.programs.markets import Addresses, Kind, read_market, read_position
from tests.unit.programs.tokens import TOKEN_PROGRAM

from cbctl.clients.solana.keypair import write
from cbctl.steps.local import mint
from cbctl.steps.program import deploy, init

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
BETS = {"yes": 10_000_000, "no": 30_000_001}
SUPPLY = 10**12


@dataclass(frozen=True)
class Stage:
    net: Localnet
    owner: Wallet
    resolver: Keypair
    mint: Pubkey

    @classmethod
    def build(cls, folder: Path) -> Stage:
        net, owner = Localnet(folder / "localnet"), Wallet.make(folder)
        resolver, token = Keypair(), Keypair()
        write(folder / "mint.json", token)
        net.fund(owner.key.pubkey(), 1_000 * SOL)
        net.fund(resolver.pubkey(), SOL)
        run(deploy.STEP, owner.inputs(net))
        wallet, address = folder / "wallet.json", folder / "mint.json"
        run(mint.STEP, mint.Inputs(net.url, wallet, address, 6, SUPPLY, "program"))
        inputs = initialization(net, owner)
        roles = {"resolver": str(resolver.pubkey()), "usdc_mint": str(token.pubkey())}
        config = {**inputs.arguments["config"], **roles}
        run(init.STEP, initialization(net, owner, arguments={"config": config}))
        return cls(net, owner, resolver, token.pubkey())

    @property
    def program(self) -> Pubkey:
        return self.owner.program.pubkey()

    def person(self) -> Keypair:
        """Somebody with SOL, and with tokens where wallets look for them."""
        keypair, owner = Keypair(), self.owner.key
        self.net.fund(keypair.pubkey(), 10 * SOL)
        source = get_associated_token_address(owner.pubkey(), self.mint)
        target = get_associated_token_address(keypair.pubkey(), self.mint)
        steps: list[Instruction] = [
            create_idempotent_associated_token_account(owner.pubkey(), keypair.pubkey(), self.mint),
            transfer(
                TransferParams(
                    program_id=TOKEN_PROGRAM,
                    source=source,
                    dest=target,
                    owner=owner.pubkey(),
                    amount=10**9,
                )
            ),
        ]
        self.net.confirm(self.net.run(steps, owner))
        return keypair

    def now(self) -> int:
        account = self.net.rpc.account(CLOCK)
        assert account is not None
        (unix_time,) = struct.unpack_from("<q", account.data, 32)
        return int(unix_time)

    def scene(self, kind: Kind, market_id: int) -> Scene:
        now = self.now()
        terms = {
            "betting_ends_at": now + 3_000,
            "resolution_time": now + 3_700,
            "oracle": str(self.resolver.pubkey()),
            "title": "Will it rain in Łódź tomorrow?",
            "description": "Any rain at the airport's station.",
            "category": "weather",
            "metadata_uri": "ipfs://rain",
        }
        people = {"authority": Keypair(), "yes": self.person(), "no": self.person()}
        self.net.fund(people["authority"].pubkey(), 10 * SOL)
        return Scene(self, kind, market_id, terms, people)


@dataclass(frozen=True)
class Scene:
    """What a client is to do: create a market, two bets, YES wins, and its bettor is paid."""

    stage: Stage
    kind: Kind
    market_id: int
    terms: dict[str, Any]
    people: dict[str, Keypair]

    def write(self, path: Path) -> None:
        stage = self.stage
        keys = {**self.people, "resolver": stage.resolver}
        told = {
            "rpc": stage.net.url,
            "program": str(stage.program),
            "idl": str(IDL),
            "old_idl": str(OLD_IDL),
            "kind": self.kind.name.lower(),
            "market_id": self.market_id,
            "terms": self.terms,
            "bets": BETS,
            "keys": {name: list(bytes(key)) for name, key in keys.items()},
            "mint": str(stage.mint),
            "tokens": {
                name: str(get_associated_token_address(key.pubkey(), stage.mint))
                for name, key in self.people.items()
            },
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(told))

    @property
    def addresses(self) -> Addresses:
        authority = self.people["authority"].pubkey()
        return Addresses.of(self.stage.program, self.market_id, authority, self.kind)

    def accounts(self) -> dict[str, Any]:
        """What is on chain afterwards, read by the offsets that the tests have by hand."""
        at = self.addresses
        return {
            "global_config": read_config(self._data(config_address(at.program))),
            "market": read_market(self._data(at.market)),
            "position": read_position(self._data(at.position(self.people["yes"].pubkey()))),
        }

    def _data(self, address: Pubkey) -> bytes:
        account = self.stage.net.rpc.account(address)
        assert account is not None
        return account.data
