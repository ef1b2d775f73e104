"""local.mint on a real localnet. What it made is read by the layout of the token program."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.integration.program.support import SOL, Localnet, run
from tests.testbed.context import FakeContext
from tests.testbed.waiting import free_port

from cbctl.clients.solana.keypair import write
from cbctl.engine.step import After, Blocked, Changes, Nothing, NotVerified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.local import mint

STEP = mint.STEP
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    localnet = Localnet(tmp_path_factory.mktemp("localnet"))
    yield localnet
    localnet.stop()


@pytest.fixture
def keys(net: Localnet, tmp_path: Path) -> tuple[Keypair, Keypair]:
    """Wallet, with money, and mint; both in files."""
    wallet, token = Keypair(), Keypair()
    write(tmp_path / "wallet.json", wallet)
    write(tmp_path / "mint.json", token)
    net.fund(wallet.pubkey(), SOL)
    return wallet, token


def inputs(net: Localnet, folder: Path, **more: Any) -> mint.Inputs:
    given: dict[str, Any] = {
        "rpc": net.url,
        "wallet": folder / "wallet.json",
        "keypair": folder / "mint.json",
        "decimals": 6,
        "supply": 5_000_000,
        "wallet_step": "program",
        "genesis_hash": net.genesis,
    }
    return mint.Inputs(**(given | more))


def mint_on_chain(net: Localnet, address: Pubkey) -> tuple[Pubkey, int, int, bool]:
    """Authority, supply, decimals, and whether anybody could freeze accounts."""
    account = net.rpc.account(address)
    assert account is not None
    assert account.owner == TOKEN
    has, authority, supply, decimals, is_there, freezes, _ = struct.unpack(
        "<I32sQBBI32s", account.data
    )
    assert (has, is_there) == (1, 1)
    return Pubkey.from_bytes(authority), supply, decimals, bool(freezes)


def tokens(net: Localnet, owner: Pubkey, token: Pubkey) -> int:
    seeds = [bytes(owner), bytes(TOKEN), bytes(token)]
    account = net.rpc.account(Pubkey.find_program_address(seeds, ASSOCIATED)[0])
    assert account is not None
    assert account.data[:64] == bytes(token) + bytes(owner)
    return int.from_bytes(account.data[64:72], "little")


def test_a_token_with_its_supply_in_the_wallet(
    net: Localnet, keys: tuple[Keypair, Keypair], tmp_path: Path
) -> None:
    wallet, token = keys[0].pubkey(), keys[1].pubkey()
    first = run(STEP, inputs(net, tmp_path))
    assert isinstance(first.verdict, Changes)
    assert first.outcome == mint.Outcome(str(token), 5_000_000)
    assert mint_on_chain(net, token) == (wallet, 5_000_000, 6, False)
    assert tokens(net, wallet, token) == 5_000_000

    sent = len(net.history(wallet))
    again = run(STEP, inputs(net, tmp_path))
    assert isinstance(again.verdict, Nothing)
    assert again.outcome == first.outcome
    # as after a kill between the transaction and the journal
    assert STEP.apply(FakeContext(), inputs(net, tmp_path), (), None) == first.outcome
    assert len(net.history(wallet)) == sent

    more = run(STEP, inputs(net, tmp_path, supply=7_000_000))
    assert isinstance(more.verdict, Changes)
    assert [change.what for change in more.verdict.changes] == ["supply"]
    assert tokens(net, wallet, token) == 7_000_000
    # nothing is ever taken away
    assert isinstance(run(STEP, inputs(net, tmp_path)).verdict, Nothing)
    assert tokens(net, wallet, token) == 7_000_000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"decimals": 9}, "a mint with 6 decimals, not 9"),
        ({"wallet": "other.json"}, "a mint that another key decides over"),
        ({"keypair": "wallet.json"}, "no mint of the SPL Token program"),
    ],
)
def test_something_else_is_at_the_address(
    net: Localnet, keys: tuple[Keypair, Keypair], tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    run(STEP, inputs(net, tmp_path))
    other = Keypair()
    write(tmp_path / "other.json", other)
    named = {k: tmp_path / v if isinstance(v, str) else v for k, v in change.items()}
    wanted = inputs(net, tmp_path, **named)
    verdict = run(STEP, wanted).verdict
    assert isinstance(verdict, Blocked)
    assert why in verdict.why
    with pytest.raises(CbctlError, match=why) as caught:
        STEP.apply(FakeContext(), wanted, (), None)
    assert caught.value.exit == Exit.REFUSED
    assert isinstance(STEP.verify(FakeContext(), wanted), NotVerified)


def test_before_keys_and_cluster_are_there(net: Localnet, tmp_path: Path) -> None:
    absent = inputs(net, tmp_path, rpc=f"http://127.0.0.1:{free_port()}", genesis_hash=None)
    verdict = run(STEP, absent).verdict
    assert isinstance(verdict, After)
    assert verdict.needs == ("program",)
    assert isinstance(run(STEP, inputs(net, tmp_path)).verdict, After)  # no keypairs yet


def test_another_cluster_is_refused(
    net: Localnet, keys: tuple[Keypair, Keypair], tmp_path: Path
) -> None:
    wrong = inputs(net, tmp_path, genesis_hash=str(Keypair().pubkey()))
    verdict = run(STEP, wrong).verdict
    assert isinstance(verdict, Blocked)
    assert "another cluster" in verdict.why
    with pytest.raises(CbctlError, match="another cluster"):
        STEP.apply(FakeContext(), wrong, (), None)
    assert net.rpc.account(keys[1].pubkey()) is None
