"""How quickly it starts and how little it takes."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.support import PROCESSED, SOL, Start
from tests.testbed.beds import need

ROLLUP = Path("/proc/self/smaps_rollup")


def test_the_first_answer_costs_little(start: Start) -> None:
    # CPU time, because the clock on the wall also shows what else the machine does.
    times = psutil.Process(start().process.pid).cpu_times()
    assert times.user + times.system < 0.7


def test_an_idle_chain_is_small(start: Start) -> None:
    need("linux", "" if ROLLUP.exists() else "PSS is a Linux figure")
    net = start()
    rollup = Path(f"/proc/{net.process.pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    assert kilobytes < 90 * 1024


def test_a_long_history_starts_quickly(start: Start) -> None:
    net = start()
    payer = net.funded(1_000)
    blockhash = net.blockhash()
    for number in range(1_500):
        pay = transfer(
            TransferParams(
                from_pubkey=payer.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=SOL // 10
            )
        )
        message = Message.new_with_blockhash([pay], payer.pubkey(), blockhash)
        last = net.send(VersionedTransaction(message, [payer]), skipPreflight=True)
        if number % 100 == 0:
            blockhash = net.blockhash()
    net.confirm(last)
    net.stop(signal.SIGKILL)
    again = start()
    times = psutil.Process(again.process.pid).cpu_times()
    assert times.user + times.system < 1.5
    assert again.call("getTransactionCount", PROCESSED) == 1_501
