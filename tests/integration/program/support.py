"""A localnet process, steps run as the engine runs them, and an account of every lamport."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.testbed import localnet
from tests.testbed.context import FakeContext
from tests.testbed.waiting import free_port

from cbctl.clients.solana import loader
from cbctl.clients.solana.buffer import WRITES_PER_V1, WRITES_WITH_CREATION
from cbctl.clients.solana.keypair import write
from cbctl.clients.solana.rpc import CONFIRMED, Rpc
from cbctl.engine.step import Changes, Nothing, PlanVerdict, Verified
from cbctl.steps.program import deploy, init

ARTIFACTS = Path(__file__).parents[3] / "programs/crypto_bet/artifacts"
ELF = ARTIFACTS / "crypto_bet.so"
IDL = ARTIFACTS / "crypto_bet.idl.json"
SMALL_ELF = Path(__file__).parents[2] / "fixtures/guest_house/onchain/guestbook.so"
OLD_IDL = ARTIFACTS / "crypto_bet.idl-0.29.json"
SOL = 1_000_000_000
SLOT_MS = 50


class Localnet(localnet.Localnet):
    """One with the client that is tested."""

    def __init__(self, state: Path, *options: str, slot_ms: int = SLOT_MS) -> None:
        super().__init__(state, free_port(neighbours=1), slot_ms, *options)
        self.rpc = Rpc(self.url, patience=20, waits=True)
        self.genesis = self.rpc.genesis_hash()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.rpc.close()
        return super().stop(how)

    def fund(self, key: Pubkey, lamports: int) -> None:
        before = self.rpc.balance(key)
        self.rpc.airdrop(key, lamports)
        until = time.monotonic() + 10
        while self.rpc.balance(key) == before:
            assert time.monotonic() < until, "the faucet did not pay"
            time.sleep(0.02)

    def history(self, key: Pubkey) -> list[dict[str, Any]]:
        """All transactions that name the key, the faucet's left out, oldest first."""
        entries = self.rpc.call("getSignaturesForAddress", [str(key), {"limit": 1000, **CONFIRMED}])
        found = [self.rpc.transaction(entry["signature"]) for entry in reversed(entries)]
        return [one for one in found if one is not None and _payer(one) == str(key)]

    def fees(self, key: Pubkey) -> int:
        return sum(one["meta"]["fee"] for one in self.history(key))


def _payer(transaction: dict[str, Any]) -> str:
    return str(transaction["transaction"]["message"]["accountKeys"][0])


@dataclass
class Wallet:
    """Keypair files of one program, in a folder of their own."""

    folder: Path
    key: Keypair = field(repr=False)
    program: Keypair = field(repr=False)

    @classmethod
    def make(cls, folder: Path) -> Wallet:
        made = cls(folder, Keypair(), Keypair())
        write(folder / "wallet.json", made.key)
        write(folder / "program.json", made.program)
        return made

    def inputs(self, net: Localnet, elf: Path = ELF, **more: Any) -> deploy.Inputs:
        given: dict[str, Any] = {
            "rpc": net.url,
            "elf": elf,
            "wallet": self.folder / "wallet.json",
            "program_keypair": self.folder / "program.json",
            "genesis_hash": net.genesis,
        }
        return deploy.Inputs(**(given | more))


@dataclass
class Ran:
    verdict: PlanVerdict
    outcome: Any


def run(step: Any, inputs: Any, ctx: FakeContext | None = None) -> Ran:
    """Observe, plan, and where there is something to change identify, apply and verify."""
    ctx = ctx or FakeContext()
    facts = step.observe(ctx, inputs).facts
    verdict = step.plan(inputs, facts)
    if isinstance(verdict, Nothing):
        return Ran(verdict, step.outcome(ctx, inputs, facts))
    if not isinstance(verdict, Changes):
        return Ran(verdict, None)
    intent = step.identify(ctx, inputs, verdict.changes)
    outcome = step.apply(ctx, inputs, verdict.changes, intent)
    assert isinstance(step.verify(ctx, inputs), Verified)
    return Ran(verdict, outcome)


def variant(folder: Path, tail: int, fill: int = 1, elf: Path = ELF) -> Path:
    """Another valid program: bytes after the last section are not looked at, only hashed."""
    path = folder / f"variant-{tail}-{fill}.so"
    path.write_bytes(elf.read_bytes() + bytes([fill]) * tail)
    return path


def least(size: int) -> int:
    """Transactions when nothing goes wrong: buffer and first chunks, writes, program."""
    chunks = -(-size // loader.WRITE_PAYLOAD)
    return 1 + -(-(chunks - WRITES_WITH_CREATION) // WRITES_PER_V1) + 1


def locked(net: Localnet, program: Pubkey) -> int:
    """Lamports in the program's two accounts."""
    accounts = net.rpc.accounts([program, loader.programdata_address(program)])[1]
    return sum(account.lamports for account in accounts if account)


def buffers(net: Localnet, authority: Pubkey) -> list[str]:
    """Every buffer on the cluster that belongs to the authority."""
    owned = net.rpc.call(
        "getProgramAccounts",
        [str(loader.LOADER), {"encoding": "base64", "commitment": "confirmed"}],
    )
    found = []
    for entry in owned:
        account = net.rpc.account(Pubkey.from_string(entry["pubkey"]))
        state = loader.parse(account.data) if account else None
        if isinstance(state, loader.Buffer) and state.authority == authority:
            found.append(entry["pubkey"])
    return found


def initialization(net: Localnet, owner: Wallet, /, **more: Any) -> init.Inputs:
    keys = {
        name: str(Pubkey.create_with_seed(owner.key.pubkey(), name, loader.LOADER))
        for name in ("resolver", "guardian", "treasury", "usdc_mint")
    }
    limits = {"min_bet": 1_000_000, "max_bet": 1_000_000_000_000}
    config = {
        "fee_bps": 250,
        "min_market_duration": 3_600,
        "max_market_duration": 31_536_000,
        "dispute_window": 86_400,
        "resolution_window": 604_800,
        "sweep_delay": 7_776_000,
        "sol": dict(limits),
        "usdc": dict(limits),
        **keys,
    }
    given: dict[str, Any] = {
        "rpc": net.url,
        "idl": IDL,
        "program_id": str(owner.program.pubkey()),
        "wallet": owner.folder / "wallet.json",
        "instruction": "initialize_program",
        "account": "GlobalConfig",
        "arguments": {"config": config},
        "genesis_hash": net.genesis,
    }
    return init.Inputs(**(given | more))
