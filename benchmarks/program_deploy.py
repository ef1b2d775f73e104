"""A program brought on chain by `cbctl program deploy`, beside `solana program deploy --use-rpc`.

    python benchmarks/program_deploy.py [ROUNDS]

One localnet, one proxy in front of it: without latency, with 80 ms, and with 40 requests per 10 s.
Both commands are timed from process start to exit, in turns. Of a file of 500 KiB also: killed in
the middle and run again, and run again when nothing has changed.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localnet import Net
from rpc_proxy import Proxy
from solders.keypair import Keypair
from timing import CBCTL

from cbctl.clients.solana.keypair import write

REPOSITORY = Path(__file__).parents[1]
ELF = REPOSITORY / "programs/crypto_bet/artifacts/crypto_bet.so"
SIZES = (100, 200, 500)  # KiB
PORT = 28_899
SOL = 1_000_000_000
CONDITIONS = {"0 ms": (0.0, None), "80 ms": (0.08, None), "40 per 10 s": (0.0, 40)}
LIMITED_ROUNDS = 1  # minutes each


@dataclass
class Ran:
    """resent: bytes of transactions beyond those that landed, each once"""

    seconds: float
    transactions: int
    sent: int
    landed: int
    requests: int

    @property
    def resent(self) -> int:
        return self.sent - self.landed


class Bench:
    def __init__(self, net: Net, folder: Path) -> None:
        self.net, self.folder, self.number = net, folder, 0
        text = (
            (REPOSITORY / "cbctl.yaml").read_text().replace("programs/", f"{REPOSITORY}/programs/")
        )
        (folder / "cbctl.yaml").write_text(text)

    def elf(self, kib: int) -> Path:
        """The project's program with bytes behind its end, which no loader looks at."""
        path = self.folder / f"{kib}.so"
        if not path.exists():
            data = ELF.read_bytes()
            path.write_bytes(data + os.urandom(kib * 1024 - len(data)))
        return path

    def wallet(self) -> Path:
        """A folder with the keys of a new wallet that has money, and of a new program."""
        self.number += 1
        keys = self.folder / str(self.number)
        wallet = Keypair()
        write(keys / "wallet.json", wallet)
        write(keys / "program.json", Keypair())
        self.net.call("requestAirdrop", str(wallet.pubkey()), 100 * SOL)
        (keys / "address").write_text(str(wallet.pubkey()))
        while self.net.call("getBalance", str(wallet.pubkey()))["value"] == 0:
            time.sleep(0.05)
        return keys

    def ours(self, proxy: Proxy, keys: Path, elf: Path) -> list[str]:
        given = ["--cluster", proxy.url, "--wallet", str(keys / "wallet.json")]
        return [CBCTL, "program", "deploy", *given, "--keypair", str(keys / "program.json"),
                "--elf", str(elf)]  # fmt: skip

    def theirs(self, proxy: Proxy, keys: Path, elf: Path) -> list[str]:
        return [shutil.which("solana") or "solana", "program", "deploy", "--use-rpc",
                "--url", proxy.url, "--keypair", str(keys / "wallet.json"),
                "--program-id", str(keys / "program.json"), str(elf)]  # fmt: skip

    def run(self, command: Sequence[str], proxy: Proxy, keys: Path) -> Ran:
        sent, requests, before = proxy.sent_bytes, proxy.requests, self.landed(keys)
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout.decode()}{done.stderr.decode()}")
        after = self.landed(keys)
        return Ran(
            seconds,
            after[0] - before[0],
            proxy.sent_bytes - sent,
            after[1] - before[1],
            proxy.requests - requests,
        )

    def environment(self) -> dict[str, str]:
        return {**os.environ, "CBCTL_STATE_DIR": str(self.folder / "state")}

    def landed(self, keys: Path) -> tuple[int, int]:
        """(transactions that the wallet paid, their bytes)"""
        address, found = (keys / "address").read_text(), []
        time.sleep(0.5)  # until the last slot is confirmed
        entries = self.net.call(
            "getSignaturesForAddress", address, {"limit": 1000, "commitment": "confirmed"}
        )
        for entry in entries:
            wire = self.net.call(
                "getTransaction",
                entry["signature"],
                {"encoding": "base64", "maxSupportedTransactionVersion": 1,
                 "commitment": "confirmed"},
            )["transaction"][0]  # fmt: skip
            found.append(len(base64.b64decode(wire)))
        airdrop = 1
        return len(found) - airdrop, sum(found[:-airdrop])


def compare(bench: Bench, rounds: int) -> None:
    peer = shutil.which("solana") is not None
    print(f"{'':24} {'wall s':>7} {'spread':>13} {'trans.':>6} {'requests':>8} {'resent B':>9}")
    for name, (latency, limit) in CONDITIONS.items():
        for kib in SIZES:
            elf = bench.elf(kib)
            found: dict[str, list[Ran]] = {"cbctl": [], "solana": []}
            for _ in range(LIMITED_ROUNDS if limit else rounds):
                for who in ("cbctl", "solana") if peer else ("cbctl",):
                    proxy, keys = Proxy(PORT, latency, limit), bench.wallet()
                    make = bench.ours if who == "cbctl" else bench.theirs
                    try:
                        found[who].append(bench.run(make(proxy, keys, elf), proxy, keys))
                    except RuntimeError as failed:
                        print(f"{name} {kib} KiB {who} failed: {str(failed)[-400:]}")
                    proxy.close()
            for who, runs in found.items():
                if runs:
                    print(f"{name:12} {kib} KiB {who:7}{_row(runs)}", flush=True)


def _row(runs: list[Ran]) -> str:
    walls = [one.seconds for one in runs]
    spread = f"{min(walls):.1f} to {max(walls):.1f}"
    middle = sorted(runs, key=lambda one: one.resent)[len(runs) // 2]
    return (
        f"{statistics.median(walls):7.2f} {spread:>13} {runs[0].transactions:6} "
        f"{middle.requests:8} {middle.resent:9,}"
    )


def interrupted(bench: Bench) -> None:
    elf, proxy = bench.elf(500), Proxy(PORT)
    keys = bench.wallet()
    whole = bench.run(bench.ours(proxy, keys, elf), proxy, keys).sent
    keys = bench.wallet()
    command, half = bench.ours(proxy, keys, elf), proxy.sent_bytes + whole // 2
    process = subprocess.Popen(
        command, cwd=bench.folder, env=bench.environment(), stderr=subprocess.DEVNULL
    )
    while proxy.sent_bytes < half and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = proxy.sent_bytes - half + whole // 2
    again = bench.run(command, proxy, keys)
    print(
        f"unbroken: {whole:,} bytes of transactions. Killed after {first:,}: {again.sent:,} sent "
        f"afterwards ({again.sent / whole:.0%}), in {again.transactions} transactions"
    )
    walls = [bench.run(command, proxy, keys) for _ in range(5)]
    middle = statistics.median(one.seconds for one in walls)
    print(f"unchanged: {walls[0].transactions} transactions, {middle:.2f} s from process start to "
          f"exit, {walls[0].requests} requests")  # fmt: skip
    proxy.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="cbctl-bench-") as home:
        folder = Path(home)
        net = Net(folder / "chain", PORT)
        try:
            bench = Bench(net, folder)
            interrupted(bench)
            compare(bench, rounds)
        finally:
            net.stop()


if __name__ == "__main__":
    main()
