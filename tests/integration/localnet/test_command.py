"""`cbctl localnet` as a person types it, without a cbctl.yaml anywhere."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from solders.pubkey import Pubkey
from tests.integration.localnet.support import SOL, free_port
from tests.testbed.waiting import wait_for
from tests.unit.localnet.workload import ELF

CBCTL = Path(sys.executable).with_name("cbctl")
KEPT = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
PATIENCE = 60.0


@dataclass(frozen=True)
class Done:
    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs the command in an empty folder, with a state root of its own."""

    folder: Path
    root: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "CBCTL_STATE_DIR": str(self.root), "LANG": "C.UTF-8", "NO_COLOR": "1"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, *words: str) -> Done:
        done = subprocess.run(
            [str(CBCTL), "localnet", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr and "defect of cbctl" not in done.stderr, done
        return Done(done.returncode, done.stdout, done.stderr)

    def rpc(self, method: str, *params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return httpx.post(self.url, json=body, timeout=30).json()["result"]

    def balance(self, address: Pubkey) -> int:
        return int(self.rpc("getBalance", str(address), {"commitment": "processed"})["value"])

    def airdrop(self, address: Pubkey, lamports: int) -> None:
        self.rpc("requestAirdrop", str(address), lamports)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, tmp_path / "root", free_port(neighbours=1))


@pytest.fixture
def run(shell: Shell) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs one in the foreground of nobody, until it answers."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(CBCTL), "localnet", "run", "--port", str(shell.port), *options],
            cwd=shell.folder,
            env=shell.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)

        def answers() -> bool:
            assert process.poll() is None, "it ended"
            return httpx.get(f"{shell.url}/health").status_code == 200

        wait_for(answers, PATIENCE, "an answer", passing=(httpx.TransportError,))
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


Run = Callable[..., subprocess.Popen[str]]


EARLY = """
import os, signal, sys
from cbctl.localnet import __main__ as localnet

def opened(*given, real=localnet.open_bank):
    os.kill(os.getpid(), signal.SIGINT)
    return real(*given)

localnet.open_bank = opened
sys.exit(localnet.main(sys.argv[1:]))
"""


def test_ctrl_c_while_the_chain_is_opened(tmp_path: Path) -> None:
    words = ["--state", str(tmp_path / "state"), "--port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "-c", EARLY, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0 and "stopped at slot" in done.stderr, done
    assert "Traceback" not in done.stderr


def test_it_runs_until_ctrl_c_and_goes_on_the_next_time(shell: Shell, run: Run) -> None:
    process, to = run("--slot-ms", "100"), Pubkey.new_unique()
    shell.airdrop(to, SOL)
    status = shell("status", "--output", "json").json
    assert status["running"] is True
    assert status["url"] == shell.url
    assert status["slotMs"] == 100
    assert status["transactions"] == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert "stopped at slot" in process.stderr.read()

    stopped = shell("status", "--output", "json").json
    assert stopped["running"] is False and stopped["url"] is None
    assert stopped["transactions"] == 1
    assert stopped["genesisHash"] == status["genesisHash"]
    assert stopped["state"] == status["state"] == str(shell.root / ".localnet")
    assert (shell.root / ".localnet").stat().st_mode & 0o077 == 0

    run()
    assert shell.balance(to) == SOL
    text = shell("status").out
    assert f"running at {shell.url}" in text
    for word in ("slot", "time", "transactions", "accounts", "on disk", "programs", "chain"):
        assert f"\n{word} " in text or text.startswith(word), text


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_snapshot_clock_and_restore(shell: Shell, run: Run, running: bool) -> None:
    process, to = run(), Pubkey.new_unique()
    shell.airdrop(to, SOL)
    if not running:
        process.terminate()
        process.wait(PATIENCE)
    file = shell.folder / "a.snapshot"
    taken = shell("snapshot", str(file), "--output", "json").json
    assert taken["accounts"] == 2
    assert taken["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0

    before = shell("status", "--output", "json").json
    day = shell("clock", "advance", "1d", "--output", "json").json
    assert day["unixTime"] - before["unixTime"] >= 86_400
    slots = shell("clock", "advance", "--slots", "1000", "--output", "json").json
    assert slots["slot"] - day["slot"] >= 1_000
    assert shell("clock", "set", "2040-01-01T00:00").out.endswith("2040-01-01T00:00:00Z\n")
    assert shell("status", "--output", "json").json["time"].startswith("2040-01-01T00:00")
    if running:
        shell.airdrop(to, SOL)

    restored = shell("restore", str(file), "--output", "json").json
    assert abs(restored["unixTime"] - time.time()) < 120
    assert restored["slot"] > slots["slot"]
    if not running:
        run()
    assert shell.balance(to) == SOL
    assert shell.rpc("localnet_snapshots") == []  # none of its own is left
    assert [p.name for p in shell.folder.iterdir()] == ["a.snapshot"]


def test_a_snapshot_starts_a_chain_elsewhere(shell: Shell, run: Run, tmp_path: Path) -> None:
    process, to = run(), Pubkey.new_unique()
    shell.airdrop(to, SOL)
    genesis = shell.rpc("getGenesisHash")
    assert shell("snapshot", "seeded").exit == 0
    process.terminate()
    process.wait(PATIENCE)
    other = ("--state", str(tmp_path / "other"))
    assert shell("restore", "seeded", *other).exit == 0
    run(*other)
    assert shell.balance(to) == SOL
    assert shell.rpc("getGenesisHash") == genesis
    assert shell("status", *other, "--output", "json").json["transactions"] == 1


def test_programs_and_accounts_come_out_of_files(shell: Shell, run: Run) -> None:
    program, upgradeable, holder, key = (Pubkey.new_unique() for _ in range(4))
    (shell.folder / "program.so").write_bytes(ELF)
    account = {
        "pubkey": str(key),
        "account": {
            "lamports": 5 * SOL,
            "data": [base64.b64encode(b"hello").decode(), "base64"],
            "owner": str(holder),
            "executable": False,
            "rentEpoch": 2**64 - 1,
            "space": 5,
        },
    }
    (shell.folder / "account.json").write_text(json.dumps(account))
    options = [
        *("--bpf-program", str(program), "program.so"),
        *("--upgradeable-program", str(upgradeable), "program.so", str(holder)),
        *("--account", "-", "account.json"),
        *("--account", str(holder), "account.json"),
    ]
    process = run(*options)
    assert set(shell("status", "-o", "json").json["programs"]) == {str(program), str(upgradeable)}
    for address in (key, holder):
        shown = shell.rpc("getAccountInfo", str(address), {"encoding": "base64"})["value"]
        assert shown["data"] == account["account"]["data"]  # type: ignore[index]
        assert shown["owner"] == str(holder)
    assert shell.rpc("getAccountInfo", str(program), {"encoding": "base64"})["value"]["executable"]
    process.terminate()
    process.wait(PATIENCE)
    run(*options).terminate()  # the same again is the same chain
    wait_for(lambda: not _answers(shell), PATIENCE, "its end")

    refused = shell("run", "--port", str(shell.port), "--slot-ms", "77")
    assert refused.exit == 7
    assert "its slots take 200 ms, and --slot-ms says 77" in refused.err
    (shell.folder / "program.so").write_bytes(ELF + b"\0")
    refused = shell("run", "--port", str(shell.port), *options)
    assert refused.exit == 7
    assert "names another file" in refused.err


def _answers(shell: Shell) -> bool:
    try:
        return httpx.get(f"{shell.url}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_reset_removes_a_chain_and_nothing_else(shell: Shell, run: Run) -> None:
    state = shell.folder / "chain"
    process = run("--state", "chain")
    (state / "notes.txt").write_text("mine")
    shell.rpc("localnet_takeSnapshot", "s")
    told = ("--state", str(state))
    refused = shell("reset", *told, "--yes")
    assert refused.exit == 6
    assert "it is running" in refused.err
    process.terminate()
    process.wait(PATIENCE)
    assert shell("reset", *told).exit == 64  # nobody to ask
    genesis = shell("status", *told, "--output", "json").json["genesisHash"]
    assert shell("reset", *told, "--yes").exit == 0
    assert [p.name for p in state.iterdir()] == ["notes.txt"]
    assert shell("reset", *told, "--yes").exit == 7
    run("--state", "chain")
    assert shell.rpc("getGenesisHash") != genesis


def test_a_url_is_enough_for_one_that_runs(shell: Shell, run: Run) -> None:
    run("--state", "somewhere")
    to = Pubkey.new_unique()
    url = ("--url", shell.url)
    assert shell("status", *url, "--output", "json").json["running"] is True
    assert shell("snapshot", "s", *url).exit == 0
    shell.airdrop(to, SOL)
    assert shell("clock", "advance", "90m", *url).exit == 0
    assert shell("restore", "s", *url).exit == 0
    assert shell.balance(to) == 0


def test_wrong_use_is_said(shell: Shell, run: Run) -> None:
    for words, code, what in (
        (["status"], 7, "there is no chain"),
        (["snapshot", "s"], 7, "there is no chain"),
        (["clock", "advance", "1d"], 7, "there is no chain"),
        (["reset", "--yes"], 7, "there is no chain"),
        (["restore", "none"], 64, "does not exist"),
        (["status", "--url", "http://127.0.0.1:1"], 1, "nobody answers there"),
        (["status", "--url", "127.0.0.1"], 64, "not an http:// or https:// URL"),
        (["status", "--url", "http://x", "--state", "y"], 64, "name two localnets"),
        (["status", "--env", "local"], 64, "cbctl.yaml"),
        (["clock", "advance"], 64, "how far?"),
        (["clock", "advance", "1d", "--slots", "3"], 64, "how far?"),
        (["clock", "advance", "soon"], 64, "no span of time"),
        (["clock", "set", "tomorrow"], 64, "is no time"),
        (["run", "--slot-ms", "0"], 64, "--slot-ms"),
        (["run", "--port", "65535"], 64, "--port"),
        (["run", "--account", "x"], 64, "requires 2 arguments"),
        (["run", "--feature", "x"], 64, "none that this VM knows"),
    ):
        done = shell(*words)
        assert done.exit == code, (words, done)
        assert what in done.err, (words, done)
    assert not (shell.root / ".localnet" / "chain.db").exists()

    (shell.folder / "notes").write_text("mine")
    run()
    for words, code, what in (
        (["restore", "notes"], 7, "notes is no snapshot of a localnet"),
        (["snapshot", "notes"], 7, "was not written by this command"),
        (["snapshot", "no/such/folder"], 64, "No such file"),
        (["clock", "set", "2001-01-01"], 64, "only forward"),
        (["run", "--port", str(shell.port)], 6, "in use by another localnet"),
        (["run", "--port", str(shell.port), "--state", "other"], 1, "taken"),
    ):
        done = shell(*words)
        assert done.exit == code, (words, done)
        assert what in done.err, (words, done)
    assert not (shell.folder / "other").exists()
    assert (shell.folder / "notes").read_text() == "mine"
    assert shell("snapshot", "notes", "--force").exit == 0
    assert shell.rpc("localnet_snapshots") == []
