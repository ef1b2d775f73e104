"""What survives the death of the process, and which state folders are refused."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.loader import (
    call_instruction,
    deploy_instructions,
    memo_elf,
    upload,
)
from tests.integration.localnet.support import (
    PROCESSED,
    SOL,
    Localnet,
    RpcFailure,
    Start,
    free_port,
    newest_segment,
)

FINAL = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}


def _refusal(state: Path, port: int) -> tuple[int, str]:
    """Exit code and last words of a localnet that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "cbctl.localnet", "--state", str(state), "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_kill_9_keeps_every_confirmed_transaction(start: Start) -> None:
    net = start()
    genesis = net.call("getGenesisHash")
    payer = net.funded()
    receivers = [Pubkey.new_unique() for _ in range(20)]
    sent = [net.pay(payer, to, SOL + n) for n, to in enumerate(receivers)]
    net.confirm(sent[-1])
    shown = [net.call("getTransaction", s, FINAL) for s in sent]
    left = net.balance(payer.pubkey())
    slot = net.slot()
    net.stop(signal.SIGKILL)

    again = start()
    assert again.call("getGenesisHash") == genesis
    assert again.slot() > slot
    assert [again.balance(to) for to in receivers] == [SOL + n for n in range(20)]
    assert again.balance(payer.pubkey()) == left
    again.next_slot()
    assert [again.call("getTransaction", s, FINAL) for s in sent] == shown


def test_every_account_is_the_same_after_a_restart(start: Start) -> None:
    net = start()
    payer, program = net.funded(), Keypair()
    elf = memo_elf()
    buffer = upload(net, payer, elf)
    net.run(deploy_instructions(net, payer, program.pubkey(), buffer, len(elf)), payer, program)
    net.next_slot()
    call = call_instruction(program.pubkey(), payer.pubkey())
    logs = net.call("getTransaction", _confirmed(net, net.run([call], payer)), FINAL)
    config = {"encoding": "base64"}
    owners = ["BPFLoaderUpgradeab1e11111111111111111111111", str(net_system())]
    before = [net.call("getProgramAccounts", owner, config) for owner in owners]
    assert net.stop() == 0

    again = start()
    assert [again.call("getProgramAccounts", owner, config) for owner in owners] == before
    again.next_slot()
    signature = logs["transaction"]["signatures"][0]
    assert again.call("getTransaction", signature, FINAL) == logs


def net_system() -> Pubkey:
    """Owner of plain accounts."""
    return Pubkey.default()


def _confirmed(net: Localnet, signature: str) -> str:
    net.confirm(signature)
    return signature


def test_a_transaction_signed_before_a_crash_can_land_after_it(start: Start) -> None:
    net = start(slot_ms=200)
    payer, to = net.funded(), Pubkey.new_unique()
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    message = Message.new_with_blockhash([pay], payer.pubkey(), net.blockhash())
    transaction = VersionedTransaction(message, [payer])
    net.stop(signal.SIGKILL)
    again = start(slot_ms=200)
    again.send(transaction)
    assert again.balance(to) == SOL
    with pytest.raises(RpcFailure, match="already been processed"):
        again.send(transaction)


def test_a_repeated_transaction_is_refused_after_a_restart_too(start: Start) -> None:
    net = start(slot_ms=200)
    payer, to = net.funded(), Pubkey.new_unique()
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    message = Message.new_with_blockhash([pay], payer.pubkey(), net.blockhash())
    transaction = VersionedTransaction(message, [payer])
    net.confirm(net.send(transaction))
    assert net.stop() == 0
    again = start(slot_ms=200)
    with pytest.raises(RpcFailure, match="already been processed") as refused:
        again.send(transaction)
    assert refused.value.data["err"] == "AlreadyProcessed"
    again.send(transaction, skipPreflight=True)  # answers the signature, as a validator does
    assert again.balance(to) == SOL


def test_an_expired_blockhash_is_refused(start: Start) -> None:
    net = start(slot_ms=10)
    payer, to = net.funded(), Pubkey.new_unique()
    latest = net.call("getLatestBlockhash")["value"]
    blockhash = Hash.from_string(latest["blockhash"])
    assert net.call("isBlockhashValid", latest["blockhash"])["value"] is True
    while net.call("getBlockHeight") <= latest["lastValidBlockHeight"]:
        net.next_slot()
    assert net.call("isBlockhashValid", latest["blockhash"])["value"] is False
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    message = Message.new_with_blockhash([pay], payer.pubkey(), blockhash)
    transaction = VersionedTransaction(message, [payer])
    with pytest.raises(RpcFailure, match="Blockhash not found") as refused:
        net.send(transaction)
    assert refused.value.code == -32002
    assert refused.value.data["err"] == "BlockhashNotFound"
    net.send(transaction, skipPreflight=True)
    assert net.balance(to) == 0


def test_a_torn_last_record_is_cut_and_said(start: Start, tmp_path: Path) -> None:
    net = start()
    kept, torn = Pubkey.new_unique(), Pubkey.new_unique()
    net.confirm(net.call("requestAirdrop", str(kept), SOL))
    net.confirm(net.call("requestAirdrop", str(torn), SOL))
    net.stop(signal.SIGKILL)
    ledger = newest_segment(tmp_path / "state")
    ledger.write_bytes(ledger.read_bytes()[:-7])

    again = start()
    assert any("torn last record" in line for line in again.lines)
    assert again.balance(kept) == SOL
    assert again.balance(torn) == 0
    again.confirm(again.call("requestAirdrop", str(torn), 2 * SOL))
    again.stop(signal.SIGKILL)
    last = start()
    assert not any("torn" in line for line in last.lines)
    assert last.balance(torn) == 2 * SOL


def test_a_disk_that_takes_no_more_ends_the_chain_with_a_sentence(start: Start) -> None:
    net, to = start(), Pubkey.new_unique()
    net.confirm(net.call("requestAirdrop", str(to), SOL))
    size = newest_segment(net.state).stat().st_size
    # A limit on the size of files is what a full disk looks like to the process.
    resource.prlimit(net.process.pid, resource.RLIMIT_FSIZE, (size + 100, size + 100))
    body = {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [str(to), SOL]}
    assert net.http.post(net.url, json=body).status_code == 503
    assert net.process.wait(timeout=20) == 1
    net.stop()
    assert "cannot write the ledger" in net.lines[-1]
    again = start()
    assert again.balance(to) == SOL
    assert not any("torn" in line for line in again.lines)


def test_damage_in_the_middle_is_refused(start: Start, tmp_path: Path) -> None:
    net = start()
    for _ in range(3):
        net.confirm(net.call("requestAirdrop", str(Pubkey.new_unique()), SOL))
    net.stop(signal.SIGKILL)
    ledger = newest_segment(tmp_path / "state")
    content = bytearray(ledger.read_bytes())
    content[-1_000] ^= 0xFF
    ledger.write_bytes(content)
    code, words = _refusal(tmp_path / "state", free_port(neighbours=1))
    assert code == 1
    assert "damaged" in words


def test_another_format_is_refused(start: Start, tmp_path: Path) -> None:
    start().stop()
    state = tmp_path / "state/chain.db"
    content = bytearray(state.read_bytes())
    content[63] = 99  # SQLite's user_version
    state.write_bytes(content)
    code, words = _refusal(tmp_path / "state", free_port(neighbours=1))
    assert code == 64
    assert "format 99" in words
    assert state.read_bytes() == bytes(content)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("something else")
    code, words = _refusal(tmp_path, free_port(neighbours=1))
    assert code == 64
    assert "not a localnet ledger" in words


def test_a_second_process_on_the_same_state_is_refused(start: Start, tmp_path: Path) -> None:
    net = start()
    code, words = _refusal(tmp_path / "state", free_port(neighbours=1))
    assert code == 6
    assert "in use by another localnet" in words
    assert net.call("getHealth") == "ok"


def test_a_taken_port_is_said(start: Start, tmp_path: Path) -> None:
    net = start()
    code, words = _refusal(tmp_path / "other", net.port)
    assert code == 1
    assert f"port {net.port}" in words
    assert "taken" in words


def test_two_states_are_two_chains(start: Start, tmp_path: Path) -> None:
    one, two = start(tmp_path / "one"), start(tmp_path / "two")
    assert one.call("getGenesisHash") != two.call("getGenesisHash")
    assert not two.call("isBlockhashValid", str(one.blockhash()), PROCESSED)["value"]


def test_a_copied_state_starts_elsewhere(start: Start, tmp_path: Path) -> None:
    net, to = start(), Pubkey.new_unique()
    net.confirm(net.call("requestAirdrop", str(to), SOL))
    assert net.stop() == 0
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert start(tmp_path / "copy").balance(to) == SOL


@pytest.mark.parametrize("arguments", [["--port", "1"], ["--state", "x", "--port", "70000"], []])
def test_wrong_usage_exits_with_64(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cbctl.localnet", *arguments], capture_output=True, timeout=20
    )
    assert done.returncode == 64


def test_a_stopped_process_reserves_before_it_shows_later_slots(start: Start) -> None:
    net = start(slot_ms=1)
    os.kill(net.process.pid, signal.SIGSTOP)
    time.sleep(4)  # longer than what was reserved
    os.kill(net.process.pid, signal.SIGCONT)
    seen = net.slot()
    net.stop(signal.SIGKILL)
    assert start(slot_ms=1).slot() > seen
