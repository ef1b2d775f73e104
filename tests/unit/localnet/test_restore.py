"""Going back to a snapshot: accounts and time of then, slots of now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from solders.account import Account
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.unit.localnet.support import SLOT_SECONDS, SOL, START, Time, open_bank
from tests.unit.localnet.workload import Twins, Workload

from cbctl.localnet import snapshots
from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.errors import SnapshotError
from cbctl.localnet.genesis import Wanted
from cbctl.localnet.history import Landed
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.snapshots import Snapshot


def _taken(bank: Bank, path: Path) -> Snapshot:
    bank.tick()
    bank.save()
    snapshots.write(path, bank.chain.store.head, bank.chain.store.accounts())
    return snapshots.read(path)


def _restore(bank: Bank, snapshot: Snapshot) -> None:
    bank.restore(snapshot.head, snapshot.accounts)


def _pay(bank: Bank, payer: Keypair, to: Pubkey, lamports: int) -> VersionedTransaction:
    bank.tick()
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
    message = Message.new_with_blockhash([pay], payer.pubkey(), bank.hashes.at(bank.slot))
    return VersionedTransaction(message, [payer])


def _then_again(bank: Bank, open_bank: Callable[[], Bank]) -> Iterator[Bank]:
    """The chain, and what a restart makes of it."""
    yield bank
    yield open_bank()


def test_accounts_history_and_time_go_back_and_slots_go_on(
    open_bank: Callable[[], Bank], time: Time, tmp_path: Path
) -> None:
    bank, before, after = open_bank(), Pubkey.new_unique(), Pubkey.new_unique()
    kept = bank.airdrop(before, SOL)
    snapshot = _taken(bank, tmp_path / "s")
    time.slots(4)
    lost = bank.airdrop(after, SOL)
    bank.airdrop(before, SOL)
    bank.advance(100_000)
    seen = bank.slot

    _restore(bank, snapshot)
    for state in _then_again(bank, open_bank):
        assert state.vm.balance(before) == SOL
        assert state.vm.account(after) is None
        assert state.history.get(kept) is not None
        assert state.history.get(lost) is None
        assert [item.signature for item in state.history.of_address(before)] == [kept]
        assert list(state.history.of_address(after)) == []
        assert len(state.history) == 1
        assert state.slot >= seen
        assert START + 1 <= state.unix_time <= START + 2


def test_what_was_signed_before_can_land_after_again(
    open_bank: Callable[[], Bank], tmp_path: Path
) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 10 * SOL)
    snapshot = _taken(bank, tmp_path / "s")
    pay = _pay(bank, payer, to, SOL)
    for _ in range(3):
        assert isinstance(bank.submit(pay), Landed)
        assert bank.submit(pay) == Refused("AlreadyProcessed")
        _restore(bank, snapshot)
        assert bank.vm.balance(to) == 0


@pytest.mark.parametrize("seed", range(2))
def test_a_restored_chain_goes_on_as_it_went_on_then(tmp_path: Path, time: Time, seed: int) -> None:
    bank = open_bank(tmp_path / "one", time)
    workload = Workload(seed, Twins(bank))
    for _ in range(15):
        workload.act(2)
        time.slots(1)
    snapshot = _taken(bank, tmp_path / "s")
    twin = open_bank(tmp_path / "two", time)
    twin.tick()
    _restore(twin, snapshot)
    twins = Twins(bank, twin)
    twins.keys |= workload.twins.keys
    twins.assert_equal()
    workload.twins = twins
    for _ in range(15):
        time.slots(1)
        workload.act(2)
    twins.assert_equal()
    bank.close()
    twin.close()


def test_a_chain_may_become_another_one(
    open_bank: Callable[[], Bank], tmp_path: Path, time: Time
) -> None:
    bank = open_bank()
    bank.airdrop(Pubkey.new_unique(), SOL)
    folder = tmp_path / "other"
    other = _other_chain(folder, time)
    to = Pubkey.new_unique()
    for _ in range(3):
        other.airdrop(to, SOL)
    other.advance(1_000)
    snapshot = _taken(other, tmp_path / "s")
    foreign_hash = other.hashes.at(other.slot)
    other.close()

    _restore(bank, snapshot)
    for state in _then_again(bank, open_bank):
        assert state.genesis == snapshot.head.genesis
        assert state.vm.balance(to) == 3 * SOL
        assert state.history.get(state.airdrop(to, SOL)) is not None
        assert len(list(state.history.of_address(to))) == 1  # the history stayed there
        assert len(state.history) == 4
        assert state.slot >= FIRST_SLOT + 1_000
        assert state.hashes.is_valid(str(foreign_hash))
        _restore(state, snapshot)


def _other_chain(folder: Path, time: Time) -> Bank:
    from tests.unit.localnet.support import GENESIS

    from cbctl.localnet import chain as chains

    folder.mkdir()
    genesis = msgspec.structs.replace(
        GENESIS, genesis_hash="0a" * 32, blockhash_seed="0b" * 32, faucet_seed="0c" * 32
    )
    chains.write(folder, genesis, {})
    return open_bank(folder, time)


def test_snapshots_of_stretches_that_were_left_do_not_mix_histories(
    open_bank: Callable[[], Bank], tmp_path: Path
) -> None:
    bank, to = open_bank(), Pubkey.new_unique()
    root = bank.airdrop(to, SOL)
    early = _taken(bank, tmp_path / "early")
    left = [bank.airdrop(to, SOL) for _ in range(5)]
    late = _taken(bank, tmp_path / "late")
    _restore(bank, early)
    other = [bank.airdrop(to, SOL) for _ in range(2)]
    _restore(bank, late)
    assert bank.vm.balance(to) == 6 * SOL
    assert [item.signature for item in bank.history.of_address(to)] == [root]
    assert all(bank.history.get(signature) is None for signature in [*left, *other])
    newest = bank.airdrop(to, SOL)
    assert [item.number for item in bank.history.of_address(to)] == [6, 0]
    assert bank.history.get(newest) is not None


def test_a_snapshot_that_does_not_fit_changes_nothing(
    open_bank: Callable[[], Bank], tmp_path: Path
) -> None:
    bank, to = open_bank(), Pubkey.new_unique()
    snapshot = _taken(bank, tmp_path / "s")
    signature = bank.airdrop(to, SOL)
    bank.wanted = Wanted(slot_ms=77)
    with pytest.raises(SnapshotError, match="its slots take 250 ms"):
        _restore(bank, snapshot)
    bank.wanted = Wanted()
    broken = Account(
        SOL, b"no ELF", Pubkey.from_string("BPFLoader2111111111111111111111111111111111"), True
    )
    with pytest.raises(SnapshotError, match="VM does not take"):
        bank.restore(snapshot.head, lambda: [(Pubkey.new_unique(), broken)])
    unknown = msgspec.structs.replace(
        snapshot.head,
        genesis=msgspec.structs.replace(snapshot.head.genesis, activated=(str(to),)),
    )
    with pytest.raises(SnapshotError, match="none that this VM knows"):
        bank.restore(unknown, snapshot.accounts)
    for state in _then_again(bank, open_bank):
        assert state.vm.balance(to) == SOL
        assert state.history.get(signature) is not None


def test_a_crash_around_a_restore_leaves_the_chain_of_before_or_after(
    open_bank: Callable[[], Bank], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, to = open_bank(), Pubkey.new_unique()
    bank.airdrop(to, SOL)
    snapshot = _taken(bank, tmp_path / "s")
    bank.airdrop(to, SOL)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bank.chain.store, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        _restore(bank, snapshot)
    again = open_bank()
    assert again.vm.balance(to) == 2 * SOL
    again.airdrop(to, SOL)  # into the segment that the restore had begun
    monkeypatch.setattr(again.chain.ledger, "drop", crash)
    with pytest.raises(KeyboardInterrupt):
        _restore(again, snapshot)
    assert open_bank().vm.balance(to) == SOL


def test_slots_of_another_length_go_on_at_their_pace(
    open_bank: Callable[[], Bank], time: Time, tmp_path: Path
) -> None:
    bank = open_bank()
    snapshot = _taken(bank, tmp_path / "s")
    slower = msgspec.structs.replace(snapshot.head.genesis, slot_ms=1_000)
    bank.restore(msgspec.structs.replace(snapshot.head, genesis=slower), snapshot.accounts)
    slot = bank.slot
    time.now += 8 * SLOT_SECONDS
    assert bank.tick() == slot + 2
    assert bank.hashes.at(bank.slot) != Hash.default()
