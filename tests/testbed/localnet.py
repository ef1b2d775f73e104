"""A real localnet process for tests."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction
from tests.testbed.waiting import wait_for

SOL = 1_000_000_000
BATCH = 90  # a request may hold 100 calls and 50 KiB
PROCESSED = {"commitment": "processed"}


class RpcFailure(Exception):
    """The error member of a response."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.data: Any = error.get("data")


MODULE = ("-m", "cbctl.localnet")


class Localnet:
    """A running `python -m cbctl.localnet`, or another program with the same arguments."""

    def __init__(
        self,
        state: Path,
        port: int,
        slot_ms: int,
        *options: str,
        program: Sequence[str] = MODULE,
    ) -> None:
        self.state = state
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port + 1}"
        self.http = httpx.Client(timeout=10)
        started = time.monotonic()
        self.process = subprocess.Popen(
            [
                *(sys.executable, *program),
                *("--state", str(state), "--port", str(port), "--slot-ms", str(slot_ms)),
                *options,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait_ready()
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        self.start_seconds = time.monotonic() - started

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self._reader.join()
                raise RuntimeError(f"localnet ended: {self.lines}")
            try:
                if self.call("getHealth") == "ok":
                    return
            except httpx.TransportError:
                time.sleep(0.01)
        raise RuntimeError(f"localnet did not answer: {self.lines}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and waits; the exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=20)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def said(self, text: str) -> str:
        """The line with a text, which may arrive after the answer that it belongs to."""
        return wait_for(
            lambda: next((line for line in self.lines if text in line), None),
            15,
            f"the line {text}",
        )

    def call(self, method: str, *params: object) -> Any:
        """The result; RpcFailure for an error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = self.http.post(self.url, json=body).json()
        if "error" in answer:
            raise RpcFailure(answer["error"])
        return answer["result"]

    def slot(self) -> int:
        """The newest."""
        return int(self.call("getSlot", PROCESSED))

    def blockhash(self) -> Hash:
        """The newest."""
        return Hash.from_string(self.call("getLatestBlockhash", PROCESSED)["value"]["blockhash"])

    def send(self, transaction: VersionedTransaction, **config: object) -> str:
        text = base64.b64encode(bytes(transaction)).decode()
        options = {"encoding": "base64", "preflightCommitment": "processed", **config}
        signature = self.call("sendTransaction", text, options)
        assert isinstance(signature, str)
        return signature

    def status(self, signature: str) -> Any:
        return self.call("getSignatureStatuses", [signature])["value"][0]

    def confirm(self, signature: str) -> Any:
        """Waits for "confirmed"; the status."""
        return wait_for(
            lambda: (
                status
                if (status := self.status(signature))
                and status["confirmationStatus"] in ("confirmed", "finalized")
                else None
            ),
            15,
        )

    def next_slot(self) -> int:
        slot = self.slot()
        return wait_for(lambda: now if (now := self.slot()) > slot else None, 15)

    def funded(self, sol: int = 100) -> Keypair:
        """A new keypair with money, confirmed."""
        keypair = Keypair()
        self.confirm(self.call("requestAirdrop", str(keypair.pubkey()), sol * SOL))
        return keypair

    def signed(
        self, instructions: Sequence[Instruction], *signers: Keypair
    ) -> VersionedTransaction:
        """A legacy transaction that the first signer pays."""
        message = Message.new_with_blockhash(
            list(instructions), signers[0].pubkey(), self.blockhash()
        )
        return VersionedTransaction(message, list(signers))

    def run(self, instructions: Sequence[Instruction], *signers: Keypair, **config: object) -> str:
        """Sends what `signed` makes."""
        return self.send(self.signed(instructions, *signers), **config)

    def send_many(self, transactions: Sequence[VersionedTransaction]) -> list[str]:
        """Without preflight, in batches; the signatures."""
        sent: list[str] = []
        for first in range(0, len(transactions), BATCH):
            calls = [
                {
                    "jsonrpc": "2.0",
                    "id": number,
                    "method": "sendTransaction",
                    "params": [
                        base64.b64encode(bytes(transaction)).decode(),
                        {"encoding": "base64", "skipPreflight": True},
                    ],
                }
                for number, transaction in enumerate(transactions[first : first + BATCH])
            ]
            for answer in self.http.post(self.url, json=calls).json():
                if "error" in answer:
                    raise RpcFailure(answer["error"])
                sent.append(answer["result"])
        return sent

    def pay(self, payer: Keypair, to: Pubkey, lamports: int) -> str:
        return self.run(
            [transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))],
            payer,
        )

    def create(self, payer: Keypair, space: int, owner: Pubkey) -> str:
        """A new account of a program, confirmed; its address."""
        keypair = Keypair()
        create = CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=keypair.pubkey(),
            lamports=self.rent(space),
            space=space,
            owner=owner,
        )
        self.confirm(self.run([create_account(create)], payer, keypair))
        return str(keypair.pubkey())

    def balance(self, address: Pubkey) -> int:
        return int(self.call("getBalance", str(address))["value"])

    def rent(self, length: int) -> int:
        return int(self.call("getMinimumBalanceForRentExemption", length))
