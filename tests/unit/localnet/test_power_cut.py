"""A machine that stops: of what was not synced anything may be there, and what was confirmed is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.localnet.support import Time, open_bank
from tests.unit.localnet.workload import Twins, Workload

from cbctl.localnet import ledger as ledgers
from cbctl.localnet.bank import Bank
from cbctl.localnet.ledger import EMPTY_BYTES
from cbctl.localnet.store import Batch

SEEDS = [*range(3), *(pytest.param(n, marks=pytest.mark.nightly) for n in range(3, 60))]


def _cut(bank: Bank, folder: Path, chance: random.Random) -> None:
    """What a power cut may leave of a chain: the store as it was synced, the ledger up to where it
    was synced, and any part of the rest, torn or garbage."""
    shutil.copytree(bank.chain.folder, folder)
    ledger, segment = bank.chain.ledger, max((folder / "ledger").iterdir())
    base = int(segment.name)
    content = segment.read_bytes()
    synced = EMPTY_BYTES + max(0, ledger.synced - base)
    kept = chance.randint(synced, len(content))
    tail = chance.choice([b"", bytes(chance.randrange(300)), chance.randbytes(40)])
    segment.write_bytes(content[:kept] + tail)


def _ordered(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """No save may say that the store has what the ledger could still lose."""
    save = bank.chain.store.save

    def checked(batch: Batch) -> None:
        assert batch.head.position <= bank.chain.ledger.synced
        save(batch)

    monkeypatch.setattr(bank.chain.store, "save", checked)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ledgers, "SEGMENT_BYTES", 30_000)
    yield


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("small_files")
def test_what_was_confirmed_is_there_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, time = random.Random(seed), Time()
    bank = open_bank(tmp_path / "chain", time)
    _ordered(bank, monkeypatch)
    workload = Workload(seed, Twins(bank))
    for number in range(6):
        for _ in range(chance.randrange(1, 12)):
            workload.act(1)
            time.slots(chance.randrange(3))
            if chance.random() < 0.4:
                bank.chain.ledger.sync()
            if chance.random() < 0.2:
                bank.save()
        bank.tick()
        _cut(bank, tmp_path / f"cut-{number}", chance)
        again = open_bank(tmp_path / f"cut-{number}", time)
        confirmed = 0
        for landed in bank.history.of_address(workload.payer.pubkey()):
            if bank.chain.ledger.synced >= landed.place.end:
                confirmed += 1
                assert again.history.get(landed.signature) == landed
        assert confirmed <= len(again.history) <= len(bank.history)
        # and it is a chain that goes on
        again.airdrop(workload.payer.pubkey(), 1)
        again.save()
        again.close()
    bank.close()
