"""The upgrade authority is a multisig: written by the wallet, proposed, signed by others."""

from __future__ import annotations

import base64
import itertools
import json
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_metadata import TransactionMetadata
from tests.integration.program.commands import Done, House
from tests.integration.program.support import SMALL_ELF, SOL, Localnet, locked, variant
from tests.integration.program.test_commands import FEE
from tests.integration.program.test_deploy_killed import REQUESTS, SEED, Killer
from tests.testbed.forked import Forked
from tests.testbed.multisig import account_file, multisig_account, signed
from tests.testbed.unreliable import Answer, Proxy

from cbctl.clients.solana import base58, loader, squads
from cbctl.clients.solana.buffers import owned
from cbctl.clients.solana.elf import executable_hash, parse
from cbctl.clients.solana.onchain import look
from cbctl.local.kept_programs import Programs

SQUAD = Keypair().pubkey()
THRESHOLD = 2


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """One that has a Squads multisig from the beginning."""
    folder = tmp_path_factory.mktemp("accounts")
    file = account_file(folder, SQUAD, multisig_account(THRESHOLD, members=3))
    localnet = Localnet(tmp_path_factory.mktemp("localnet"), "--account", str(SQUAD), str(file))
    yield localnet
    localnet.stop()


class Shared(House):
    """A program that was initialized, and then handed to a multisig."""

    def hand_over(self, to: Pubkey, *proof: str, section: str) -> None:
        self.build(0)
        self.run("deploy").ended()
        self.run("authority", "set", "--to", str(to), *proof, "--confirm", self.id).ended()
        self.configure(section)

    def build(self, tail: int) -> str:
        """Another program in the place of the one before; its hash."""
        data = variant(self.folder, tail, elf=SMALL_ELF).read_bytes()
        (self.folder / "program.so").write_bytes(data)
        return executable_hash(data)

    def waits(self, *words: str) -> Any:
        """A command that ends waiting; its result."""
        told = self.run(*words, "--output", "json").ended(5).json
        assert told["result"] == "waiting" and told["exit"] == 5
        return told

    def asked(self, key: Keypair, outcome: dict[str, Any]) -> None:
        """The multisig signs what it was asked to, and sends it."""
        transaction = signed(outcome["base64"], self.net.blockhash(), key)
        self.net.confirm(self.net.send(transaction))

    def held(self, by: Pubkey) -> list[str]:
        return [str(one.address) for one in owned(self.net.rpc, by)]


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> Shared:
    made = Shared.make(tmp_path, net, forked)
    assert isinstance(made, Shared)
    return made


@pytest.fixture
def key(house: Shared) -> Keypair:
    """A multisig that signs with one key, as those whose members sign together off the chain do."""
    made = Keypair()
    house.net.fund(made.pubkey(), SOL)
    house.hand_over(made.pubkey(), section=f"authority: {made.pubkey()}")
    return made


def test_an_upgrade_that_others_sign(house: Shared, key: Keypair) -> None:
    new, before = house.build(9), house.balance()
    planned = house.run("upgrade", "--plan").ended(2)
    assert "authority of the buffer" in planned.out
    estimate = house.run("estimate", "--output", "json").ended().json
    told = house.waits("upgrade", "--export", "here.json")
    asked = told["outcome"]
    assert told["error"]["what"] == f"waiting for the signatures of the multisig {key.pubkey()}"
    assert f"cbctl resume {told['run']} --env dev goes on" in told["error"]["fix"]
    assert base58.encode(base64.b64decode(asked["base64"])) == asked["base58"]
    assert asked["multisig"] == str(key.pubkey()) and asked["signatures"] is None
    written = house.folder / "here.json"
    assert json.loads(written.read_text())["base64"] == asked["base64"]
    kept = Programs(house.state / "dev", house.id).proposal(new)
    for file in (written, kept):
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert json.loads(file.read_text())["base58"] == asked["base58"]
    assert house.held(house.wallet.pubkey()) == [] and house.held(key.pubkey()) == [asked["buffer"]]
    rent = house.net.rpc.rent(loader.BUFFER_HEADER + parse(variant_of(house)).size)
    assert before - house.balance() == rent + estimate["fees"] + estimate["locked"]

    # whatever is done while the multisig thinks about it costs nothing
    paid = house.balance()
    assert "nobody holds the lock" in house.cbctl("lock", "status", "dev").ended().out
    assert "waiting" in house.cbctl("runs", "list", "--env", "dev").ended().out
    why = house.cbctl("why", "last", "--env", "dev").ended().out
    assert "waits, after" in why and "waiting for the signatures" in " ".join(why.split())
    assert " waiting " in house.cbctl("audit", "list", "--env", "dev").ended().out
    checks = house.run("verify", "--output", "json").ended(10).json["checks"]
    assert "waiting for the signatures of the multisig" in checks[0]["said"]
    resumed = house.cbctl("resume", "--env", "dev")
    assert_shown(resumed.ended(5), asked)
    resumed = house.cbctl("resume", "--env", "dev", "--output", "json").ended(5)
    assert resumed.json["outcome"]["base58"] == asked["base58"]
    kept.unlink()  # as if killed before it was written
    again = house.run("upgrade").ended(5)
    assert_shown(again, asked)
    assert json.loads(kept.read_text())["base64"] == asked["base64"]
    assert house.run("estimate", "--output", "json").ended().json["needed"] == 0
    assert house.balance() == paid and house.held(key.pubkey()) == [asked["buffer"]]
    house.run("rollback").refused(7, "no other program is kept here")

    house.asked(key, asked)
    assert house.balance() == paid + rent == before - estimate["fees"] - estimate["locked"]
    verified = house.run("verify", "--output", "json").json["checks"]
    assert [c["ok"] for c in verified if c["check"] in ("bytes", "authority")] == [True, True]
    done = house.cbctl("resume", "--env", "dev", "--output", "json").ended().json
    assert done["result"] == "succeeded"
    assert house.run("upgrade", "--output", "json").ended().json["result"] == "unchanged"
    assert house.balance() == paid + rent

    # back to the one before is proposed too; what the new one looked like is known
    back = house.waits("rollback")
    assert back["outcome"]["hash"] == executable_hash(SMALL_ELF.read_bytes())
    house.asked(key, back["outcome"])
    house.cbctl("resume", "--env", "dev").ended()
    assert house.run("show", "--output", "json").ended().json["hash"] == back["outcome"]["hash"]
    one = Programs(house.state / "dev", house.id).of(new)
    assert one is not None and one.idl is not None and not one.proposed


def assert_shown(done: Done, asked: dict[str, Any]) -> None:
    assert asked["base58"] in done.out and asked["base64"] in done.out
    assert "waiting for the signatures of the multisig" in done.err


def variant_of(house: House) -> bytes:
    return (house.folder / "program.so").read_bytes()


def test_given_up_after_it_was_handed_over(house: Shared, key: Keypair) -> None:
    house.build(13)
    before = house.balance()
    asked = house.waits("upgrade")["outcome"]
    laid_out = before - house.balance()
    elsewhere = ("--export", "nowhere/close.json")
    house.run("deploy", "--abort", *elsewhere).refused(7, "there is no folder")
    house.run("upgrade", *elsewhere).refused(7, "there is no folder")
    closing = house.waits("deploy", "--abort", "--export", "close.json")["outcome"]
    assert closing["buffer"] == asked["buffer"]
    assert closing["recipient"] == str(house.wallet.pubkey())
    assert json.loads((house.folder / "close.json").read_text())["base64"] == closing["base64"]
    house.asked(key, closing)
    house.cbctl("resume", "--env", "dev").ended()
    fees = laid_out - house.net.rpc.rent(loader.BUFFER_HEADER + len(variant_of(house)))
    assert house.balance() == before - fees
    assert "nothing to do" in house.run("deploy", "--abort").ended().err
    assert house.held(key.pubkey()) == house.held(house.wallet.pubkey()) == []


def test_the_multisig_does_something_else(house: Shared, key: Keypair) -> None:
    house.build(15)
    told = house.waits("upgrade")
    buffer = Pubkey.from_string(told["outcome"]["buffer"])
    scribble = loader.write(buffer, key.pubkey(), 4_000, b"scribble")
    house.net.confirm(house.net.run([scribble], key))
    spoiled = ("does not hold the file any more", "--abort has the multisig close it")
    house.run("upgrade").refused(7, *spoiled)
    house.cbctl("resume", "--env", "dev").refused(7, *spoiled)

    close = loader.close_buffer(buffer, key.pubkey(), key.pubkey())
    house.net.confirm(house.net.run([close], key))
    resumed = house.cbctl("resume", "--env", "dev").ended(5)
    told_once = " ".join(resumed.err.split())
    assert f"{buffer} that was handed to {key.pubkey()} is gone" in told_once
    assert "ask the multisig's members" in told_once
    assert house.held(house.wallet.pubkey()) == house.held(key.pubkey()) == []
    assert house.waits("upgrade")["outcome"]["buffer"] == str(buffer)  # written anew


def test_who_may_pause_and_who_may_not_go_on(house: Shared) -> None:
    house.run("deploy").ended()
    house.run("init").ended()
    multisig = Keypair().pubkey()
    house.run("authority", "set", "--to", str(multisig), "--confirm", house.id).ended()
    guardian = "${file:keys/guardian.json}"
    house.configure(f"authority: {multisig}\nunpause:\n  wallet: {guardian}")
    house.run("pause").ended()
    assert house.field("pause_scope") == "AllButClaims"
    refused = house.run("unpause").refused(7, f"signed by {house.guardian.pubkey()}, would fail")
    assert f"if only the multisig {multisig} may do that" in " ".join(refused.err.split())


def test_a_vault_of_squads(house: Shared) -> None:
    vault = squads.vault_address(SQUAD, 1)
    proof = ("--multisig", str(SQUAD))
    house.hand_over(vault, *proof, section="")
    house.build(21)
    house.run("upgrade").refused(7, f"is {vault}, the wallet is", "program.multisig")
    house.configure(f"authority: {vault}")
    house.run("upgrade").refused(7, "not proved to be a multisig's vault")
    house.configure(f"authority: {vault}\nmultisig: {house.wallet.pubkey()}")
    house.run("upgrade").refused(7, "is no Squads multisig on this cluster")

    house.configure(f"authority: {vault}\nmultisig: {SQUAD}")
    program = house.program.pubkey()
    room = look(house.net.rpc, program).capacity
    new = house.build(20_000)  # does not fit
    told = house.waits("upgrade")
    assert told["error"]["what"] == f"waiting for 2 signatures of the multisig {vault}"
    asked = told["outcome"]
    assert asked["signatures"] == THRESHOLD
    assert look(house.net.rpc, program).capacity == room + 20_000

    transaction = Transaction.from_bytes(base64.b64decode(asked["base64"]))
    message = transaction.message
    (instruction,) = message.instructions
    keys, buffer = message.account_keys, Pubkey.from_string(asked["buffer"])
    wallet = house.wallet.pubkey()
    assert keys[instruction.program_id_index] == loader.LOADER
    assert instruction.data == (3).to_bytes(4, "little")
    assert [str(keys[index]) for index in instruction.accounts] == [
        str(loader.programdata_address(program)),
        str(program),
        str(buffer),
        str(wallet),
        "SysvarRent111111111111111111111111111111111",
        "SysvarC1ock11111111111111111111111111111111",
        str(vault),
    ]
    header = message.header
    assert header.num_required_signatures == 1 and header.num_readonly_signed_accounts == 0
    readonly = keys[len(keys) - header.num_readonly_unsigned_accounts :]
    assert set(keys) - set(readonly) == {
        *(vault, loader.programdata_address(program), program, buffer, wallet)
    }
    assert keys[0] == vault
    assert [bytes(one) for one in transaction.signatures] == [bytes(64)]
    carried_out(house, asked, vault, new)


def carried_out(house: Shared, asked: dict[str, Any], vault: Pubkey, new: str) -> None:
    """As the vault would have signed it, by the loader itself on a copy of the accounts."""
    svm = LiteSVM().with_sigverify(False).with_blockhash_check(False)
    program, wallet = house.program.pubkey(), house.wallet.pubkey()
    buffer = Pubkey.from_string(asked["buffer"])
    code = loader.programdata_address(program)
    there = {key: house.net.rpc.account(key) for key in (code, program, buffer, wallet)}
    svm.warp_to_slot(house.net.rpc.slot() + 1)
    for key, account in there.items():
        assert account is not None
        runs = key == program
        svm.set_account(key, Account(account.lamports, account.data, account.owner, runs, 0))
    svm.airdrop(vault, SOL)
    unsigned = VersionedTransaction.from_bytes(base64.b64decode(asked["base64"]))
    done = svm.send_transaction(unsigned)
    assert isinstance(done, TransactionMetadata), done
    after = svm.get_account(code)
    assert after is not None
    state = loader.parse(after.data)
    assert isinstance(state, loader.ProgramData) and executable_hash(state.elf) == new
    assert state.authority == vault and svm.get_account(buffer) is None
    before = {key: account.lamports for key, account in there.items() if account}
    returned = (svm.get_balance(wallet) or 0) - before[wallet]
    assert returned == before[buffer] + before[code] - after.lamports
    assert svm.get_balance(vault) == SOL - FEE
    assert unsigned.message.recent_blockhash == Hash.default()


SAMPLE, ALL = 1, 40


@pytest.mark.parametrize(
    "number",
    [n if n < SAMPLE else pytest.param(n, marks=pytest.mark.nightly) for n in range(ALL)],
)
def test_killed_anywhere_it_pays_for_one_buffer(house: Shared, key: Keypair, number: int) -> None:
    house.build(50 + number)
    chance = random.Random(f"{SEED} multisig {number}")
    last, after = chance.randint(1, REQUESTS), chance.random() < 0.5
    print(f"seed {SEED}: killed {'after' if after else 'before'} request {last}")
    killer = Killer(last, after)
    wallet, program = house.wallet.pubkey(), house.program.pubkey()
    money, fees = house.balance() + locked(house.net, program), house.net.fees(wallet)
    config = house.folder / "cbctl.yaml"
    with Proxy(house.net.url, killer) as proxy:
        config.write_text(config.read_text().replace(house.net.url, proxy.url))
        process = killer.process = house.start("upgrade")
        process.communicate(timeout=120)
        done = house.cbctl("resume", "--env", "dev", "--output", "json")
        if done.exit != 5:  # killed before there was a run
            house.waits("upgrade")
        asked = house.waits("upgrade")["outcome"]
    assert house.held(wallet) == [] and house.held(key.pubkey()) == [asked["buffer"]]
    buffer = house.net.rpc.balance(Pubkey.from_string(asked["buffer"]))
    spent = house.net.fees(wallet) - fees
    assert house.balance() + locked(house.net, program) == money - buffer - spent
    house.asked(key, asked)
    assert house.balance() + locked(house.net, program) == money - spent


RERUN = 30  # requests of a run that finds everything done but the signatures, about


@pytest.mark.parametrize(
    "number",
    [n if n == 20 else pytest.param(n, marks=pytest.mark.nightly) for n in range(1, RERUN)],
)
def test_signed_in_the_middle_of_another_try(house: Shared, key: Keypair, number: int) -> None:
    house.build(100)
    asked = house.waits("upgrade")["outcome"]
    paid = house.balance()
    rent = house.net.rpc.balance(Pubkey.from_string(asked["buffer"]))
    requests = itertools.count(1)

    def sign(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        if next(requests) == number:
            house.asked(key, asked)
        return None

    config = house.folder / "cbctl.yaml"
    with Proxy(house.net.url, sign) as proxy:
        config.write_text(config.read_text().replace(house.net.url, proxy.url))
        done = house.run("upgrade", "--output", "json")
    house.configure()  # without the proxy
    assert done.exit in (0, 5), done
    assert next(requests) > number, "the run made fewer requests"
    assert house.held(house.wallet.pubkey()) == house.held(key.pubkey()) == []
    assert house.balance() == paid + rent
    assert house.run("upgrade", "--output", "json").ended().json["result"] == "unchanged"
