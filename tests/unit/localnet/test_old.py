"""State of the format before is taken over, once, or refused."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.unit.localnet.support import SOL, START

from cbctl.localnet.bank import Bank
from cbctl.localnet.blockhash import BlockhashQueue
from cbctl.localnet.chain import Options
from cbctl.localnet.errors import Stop
from cbctl.localnet.opening import Opened, open_bank
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.state import StateFolder

GENESIS = {
    "genesis_hash": "01" * 32,
    "blockhash_seed": "02" * 32,
    "faucet_seed": "03" * 32,
    "faucet_lamports": 10**17,
    "first_slot": FIRST_SLOT,
    "unix_time": START,
    "vm": "solders 0.29.0",
}
SLOT_MS, AS_BEFORE = Options(slot_ms=400), Options()
RECEIVERS = [Pubkey.new_unique() for _ in range(5)]


def _frame(payload: bytes) -> bytes:
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def _transfer(slot: int, to: Pubkey) -> VersionedTransaction:
    faucet = Keypair.from_seed(bytes.fromhex("03" * 32))
    pay = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=to, lamports=SOL))
    blockhash = BlockhashQueue(bytes.fromhex("02" * 32), FIRST_SLOT).at(slot)
    return VersionedTransaction(
        Message.new_with_blockhash([pay], faucet.pubkey(), blockhash), [faucet]
    )


SENT = [_transfer(FIRST_SLOT + 3 * n, to) for n, to in enumerate(RECEIVERS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As version 0.1.0 wrote it."""
    records = [b"\0" + msgspec.json.encode(GENESIS)]
    for number, transaction in enumerate(SENT):
        head = struct.pack("<BBQq", 1, 1, FIRST_SLOT + 3 * number, START + number)
        records.append(head + bytes(transaction))
    content = b"CBLEDGER" + struct.pack("<I", 1) + b"".join(map(_frame, records))
    (tmp_path / "ledger").write_bytes(content)
    until = (FIRST_SLOT + 500).to_bytes(8, "little")
    (tmp_path / "slot").write_bytes(until + struct.pack("<I", zlib.crc32(until)))
    return tmp_path


def _open(folder: Path, options: Options) -> tuple[StateFolder, Opened]:
    state = StateFolder(folder)
    try:
        return state, open_bank(state, options)
    except BaseException:
        state.close()
        raise


def _with_bank(folder: Path, look: Callable[[Bank], None], options: Options = AS_BEFORE) -> None:
    state, opened = _open(folder, options)
    try:
        look(opened.bank)
        opened.bank.save()
    finally:
        opened.bank.close()
        state.close()


def _everything(bank: Bank) -> None:
    assert str(bank.genesis_hash) == str(Hash(b"\1" * 32))
    assert bank.genesis.slot_ms == 400
    assert [bank.vm.balance(to) for to in RECEIVERS] == [SOL] * 5
    assert bank.slot >= FIRST_SLOT + 500  # what clients saw
    assert len(bank.history) == 5
    for number, (to, transaction) in enumerate(zip(RECEIVERS, SENT, strict=True)):
        (landed,) = bank.history.of_address(to)
        assert landed.raw == bytes(transaction)
        assert (landed.slot, landed.unix_time) == (FIRST_SLOT + 3 * number, START + number)
        assert landed.outcome.error is None
        assert landed.outcome.fee == 5_000


def test_everything_is_there_and_the_old_file_is_gone(folder: Path) -> None:
    _with_bank(folder, _everything, SLOT_MS)
    assert sorted(p.name for p in folder.iterdir()) == ["chain.db", "ledger", "lock", "slot"]
    assert (folder / "ledger").is_dir()
    _with_bank(folder, _everything)


class Cut(BaseException):
    """The process ends here."""


class Steps:
    """Lets so many steps of taking over pass, and ends at the next one."""

    def __init__(self, left: int) -> None:
        self._left = left

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Cut


def _cut_at(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    """Each transaction that runs and each file that gets its name is a step."""
    run_again, replace = Bank.run_again, Path.replace

    def run(self: Bank, transaction: VersionedTransaction, slot: int, unix_time: int) -> bool:
        steps.step()
        return run_again(self, transaction, slot, unix_time)

    def rename(self: Path, target: Path) -> Path:
        steps.step()
        return replace(self, target)

    patch.setattr(Bank, "run_again", run)
    patch.setattr(Path, "replace", rename)


def test_one_that_is_cut_off_anywhere_is_done_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = 0
    while True:
        work = tmp_path / f"cut-{cuts}"
        work.mkdir()
        for name in ("ledger", "slot"):
            shutil.copy(folder / name, work / name)
        with monkeypatch.context() as patch:
            _cut_at(patch, Steps(cuts))
            try:
                state, opened = _open(work, SLOT_MS)
            except Cut:
                cuts += 1
            else:
                opened.bank.close()
                state.close()
                break
        _with_bank(work, _everything, SLOT_MS)
    assert cuts == len(SENT) + 5  # two files of the draft and three names at the end


def test_a_torn_tail_is_left_behind(folder: Path) -> None:
    ledger = folder / "ledger"
    ledger.write_bytes(ledger.read_bytes()[:-7])

    def look(bank: Bank) -> None:
        assert [bank.vm.balance(to) for to in RECEIVERS] == [SOL] * 4 + [0]

    _with_bank(folder, look)


def test_damage_before_good_records_is_refused(folder: Path) -> None:
    content = bytearray((folder / "ledger").read_bytes())
    content[-300] ^= 1
    (folder / "ledger").write_bytes(content)
    with pytest.raises(Stop, match="damaged") as stop:
        _open(folder, SLOT_MS)
    assert stop.value.exit_code == 1
    assert (folder / "ledger").read_bytes() == bytes(content)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"CBLEDGER" + struct.pack("<I", 9), "format 9, this localnet reads format 2"),
        (b"something else", "not a localnet ledger"),
        (b"", "not a localnet ledger"),
    ],
)
def test_other_files_are_refused(folder: Path, content: bytes, what: str) -> None:
    (folder / "ledger").write_bytes(content)
    with pytest.raises(Stop, match=what) as stop:
        _open(folder, SLOT_MS)
    assert stop.value.exit_code == 64
    assert (folder / "ledger").read_bytes() == content


def test_a_ledger_whose_store_is_gone_is_not_written_over(folder: Path) -> None:
    _with_bank(folder, _everything, SLOT_MS)
    (folder / "chain.db").unlink()
    copy = folder.parent / "copy"
    shutil.copytree(folder / "ledger", copy)
    with pytest.raises(Stop, match=r"lacks chain\.db"):
        _open(folder, SLOT_MS)
    for file in copy.iterdir():
        assert (folder / "ledger" / file.name).read_bytes() == file.read_bytes()
