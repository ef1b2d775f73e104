"""The localnet under load: start, transactions, reads, notifications; then with many accounts:
memory, restart, snapshots. Durability is on.

    python benchmarks/localnet.py [ROUNDS]

Clients run in this process, on the same machine as the localnet: on two cores each has one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from timing import PYTHON, pss
from websockets.asyncio.client import connect

CONNECTIONS = 32
TRANSACTIONS = 10_000
READS = 20_000
BATCH = 100
PROBES = 1_000
ACCOUNTS = 100_000
SNAPSHOT_ACCOUNTS = 10_000
PACED_PER_SECOND = 2_000
PROCESSED = {"commitment": "processed"}


class Net:
    """A localnet process with a state folder of its own."""

    def __init__(self, state: Path, port: int) -> None:
        self.port = port
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [PYTHON, "-m", "cbctl.localnet", "--state", str(state), "--port", str(port)],
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                self.call("getHealth")
                break
            except OSError:
                time.sleep(0.002)
        self.start_ms = (time.perf_counter() - began) * 1000

    def call(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}", body.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())["result"]

    def blockhash(self) -> Hash:
        return Hash.from_string(self.call("getLatestBlockhash", PROCESSED)["value"]["blockhash"])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


def free_pair() -> int:
    """A free port with a free one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@contextmanager
def running() -> Iterator[Net]:
    with tempfile.TemporaryDirectory(prefix="cbctl-bench-") as state:
        net = Net(Path(state), free_pair())
        try:
            yield net
        finally:
            net.stop()


class Payers:
    """Accounts with money, and transfers that they sign; no two are alike."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._keypairs = [Keypair() for _ in range(CONNECTIONS)]
        self.keys = [keypair.pubkey() for keypair in self._keypairs]
        self._made = 0
        for key in self.keys:
            net.call("requestAirdrop", str(key), 10**14)

    def transfers(self, count: int) -> list[VersionedTransaction]:
        blockhash = self._net.blockhash()
        made = []
        for _ in range(count):
            self._made += 1
            who = self._made % CONNECTIONS
            pay = transfer(
                TransferParams(
                    from_pubkey=self.keys[who],
                    to_pubkey=Pubkey.new_unique(),
                    lamports=1_000_000 + self._made,
                )
            )
            message = Message.new_with_blockhash([pay], self.keys[who], blockhash)
            made.append(VersionedTransaction(message, [self._keypairs[who]]))
        return made


def _call(number: int, method: str, *params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def sending(number: int, transaction: VersionedTransaction, skip: bool) -> dict[str, object]:
    text = base64.b64encode(bytes(transaction)).decode()
    options = {"encoding": "base64", "skipPreflight": skip, "preflightCommitment": "processed"}
    return _call(number, "sendTransaction", text, options)


def _request(body: object) -> bytes:
    text = json.dumps(body).encode()
    head = (
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


class _Worker(asyncio.Protocol):
    """One connection that sends the next request when the last was answered."""

    def __init__(self, requests: Iterator[bytes], pause: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._pause = pause
        self._got = b""
        self._due = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        if b'"error"' in body:
            raise RuntimeError(body[:300].decode())
        self._got = b""
        if not self._pause:
            self._next()
            return
        self._due += self._pause
        wait = max(0.0, self._due - time.perf_counter())
        asyncio.get_running_loop().call_later(wait, self._next)


async def _load(port: int, requests: list[bytes], pause: float = 0.0) -> float:
    """Seconds for all requests over all connections."""
    queue = iter(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    workers = [
        (await loop.create_connection(lambda: _Worker(queue, pause), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(worker.done for worker in workers))
    return time.perf_counter() - began


def per_second(port: int, bodies: list[object], calls: int) -> float:
    return calls / asyncio.run(_load(port, [_request(body) for body in bodies]))


async def _probe(net: Net, transactions: list[VersionedTransaction]) -> list[tuple[float, float]]:
    """For each, milliseconds from sending to the notification, and from the answer to it."""
    waits = []
    reader, writer = await asyncio.open_connection("127.0.0.1", net.port)
    async with connect(f"ws://127.0.0.1:{net.port + 1}", compression=None, proxy=None) as websocket:
        for number, transaction in enumerate(transactions):
            signature = str(transaction.signatures[0])
            body = _call(number, "signatureSubscribe", signature, PROCESSED)
            await websocket.send(json.dumps(body))
            await websocket.recv()
            request = _request(sending(number, transaction, True))
            began = time.perf_counter()
            writer.write(request)
            told = asyncio.ensure_future(_arrival(websocket))
            head = await reader.readuntil(b"\r\n\r\n")
            answered = time.perf_counter()
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
            heard = await told
            waits.append(((heard - began) * 1000, (heard - answered) * 1000))
    writer.close()
    return waits


async def _arrival(websocket: Any) -> float:
    await websocket.recv()
    return time.perf_counter()


async def _probe_under_load(net: Net, payers: Payers) -> list[tuple[float, float]]:
    probes = payers.transfers(PROBES)
    load = [_request(sending(0, item, True)) for item in payers.transfers(5 * PACED_PER_SECOND)]
    loading = asyncio.ensure_future(_load(net.port, load, CONNECTIONS / PACED_PER_SECOND))
    waits = await _probe(net, probes)
    loading.cancel()
    await asyncio.wait({loading})
    return waits


def send_batches(net: Net, transactions: list[VersionedTransaction]) -> float:
    """How many of them it takes in a second."""
    calls = [sending(number, item, True) for number, item in enumerate(transactions)]
    batches: list[object] = [calls[at : at + BATCH] for at in range(0, len(calls), BATCH)]
    return per_second(net.port, batches, len(calls))


def fill(net: Net, accounts: int) -> None:
    """Each transfer makes an account."""
    payers = Payers(net)
    for first in range(0, accounts, TRANSACTIONS):
        send_batches(net, payers.transfers(min(TRANSACTIONS, accounts - first)))


def many_accounts(rounds: int) -> tuple[float, list[float]]:
    """Memory in MB, and milliseconds from a start after a kill to the first answer."""
    restarts = []
    with tempfile.TemporaryDirectory(prefix="cbctl-bench-") as state:
        net = Net(Path(state), free_pair())
        try:
            fill(net, ACCOUNTS)
            weight = pss([net.process.pid])
            for _ in range(rounds):
                net.stop(signal.SIGKILL)
                net = Net(Path(state), free_pair())
                restarts.append(net.start_ms)
        finally:
            net.stop()
    return weight, restarts


def snapshots(rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds to write one and to go back to it."""
    times: dict[str, list[float]] = {"take": [], "restore": []}
    with running() as net:
        fill(net, SNAPSHOT_ACCOUNTS)
        for _ in range(rounds):
            for what, all_times in times.items():
                began = time.perf_counter()
                net.call(f"localnet_{what}Snapshot", "bench")
                all_times.append((time.perf_counter() - began) * 1000)
    return times["take"], times["restore"]


def row(name: str, values: list[float], unit: str) -> None:
    print(
        f"{name:<52} {statistics.median(values):10,.1f} {min(values):10,.1f} {max(values):10,.1f}"
        f"  {unit}"
    )


def quantiles(name: str, values: list[float]) -> None:
    ordered = sorted(values)
    print(
        f"{name:<52} {ordered[len(ordered) // 2]:10.2f} {ordered[len(ordered) * 99 // 100]:10.2f} "
        f"{ordered[-1]:10.2f}  ms"
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    starts: list[float] = []
    rates: dict[str, list[float]] = {}
    for _ in range(2 * rounds):
        with running() as net:
            starts.append(net.start_ms)
    with running() as net:
        payers = Payers(net)
        time.sleep(0.5)

        def measure(name: str, bodies: list[object], calls: int) -> None:
            rates.setdefault(name, []).append(per_second(net.port, bodies, calls))

        for _ in range(rounds):
            for skip in (True, False):
                sent: list[object] = [
                    sending(n, item, skip) for n, item in enumerate(payers.transfers(TRANSACTIONS))
                ]
                measure(f"transactions, {'no ' if skip else ''}preflight", sent, TRANSACTIONS)
            in_batches = rates.setdefault(f"transactions, batches of {BATCH}", [])
            in_batches.append(send_batches(net, payers.transfers(2 * TRANSACTIONS)))
            encoding = {"encoding": "base64"}
            reads: list[object] = [
                _call(n, "getAccountInfo", str(payers.keys[n % CONNECTIONS]), encoding)
                for n in range(READS)
            ]
            measure("getAccountInfo", reads, READS)
        idle = asyncio.run(_probe(net, payers.transfers(PROBES)))
        loaded = asyncio.run(_probe_under_load(net, payers))
    weight, restarts = many_accounts(2 * rounds)
    taken, restored = snapshots(2 * rounds)

    print(f"{'':<52} {'median':>10} {'min':>10} {'max':>10}")
    row("start to first answer", starts, "ms")
    for name, values in rates.items():
        row(f"{name}, {CONNECTIONS} connections", values, "per second")
    print(f"\n{'signature notification':<52} {'p50':>10} {'p99':>10} {'max':>10}")
    for when, waits in (("idle", idle), (f"at {PACED_PER_SECOND:,} tx/s", loaded)):
        quantiles(f"sent → told, {when}", [wait for wait, _ in waits])
        quantiles(f"answered → told, {when}", [wait for _, wait in waits])
    print()
    row(f"start after a kill with {ACCOUNTS:,} accounts", restarts, "ms")
    row(f"snapshot of {SNAPSHOT_ACCOUNTS:,} accounts", taken, "ms")
    row("going back to it", restored, "ms")
    print(f"\nmemory (PSS) after {ACCOUNTS:,} transactions: {weight:.1f} MB")


if __name__ == "__main__":
    main()
