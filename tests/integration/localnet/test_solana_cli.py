"""The command line of Solana itself against a localnet: money, and the life of a program."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from tests.integration.localnet.loader import memo_elf
from tests.integration.localnet.support import Localnet
from tests.testbed.beds import need


@dataclass(frozen=True)
class Cli:
    """`solana` with a home of its own and a payer with money."""

    net: Localnet
    home: Path

    def run(self, *words: str, fails: bool = False) -> str:
        """What it says."""
        done = subprocess.run(
            [
                *("solana", "--config", str(self.home / "config.yml"), "--url", self.net.url),
                *("--keypair", str(self.home / "payer.json"), "--commitment", "confirmed"),
                *words,
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, f"{words}: {said}\n{self.net.lines[-20:]}"
        return said if fails else done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--output", "json"))

    def key(self, name: str) -> Keypair:
        """A new keypair, in a file that only its owner can read."""
        keypair = Keypair()
        path = self.home / f"{name}.json"
        path.touch(0o600)
        path.write_text(keypair.to_json())
        return keypair

    def file(self, name: str) -> str:
        return str(self.home / f"{name}.json")


@pytest.fixture
def cli(net: Localnet, tmp_path: Path) -> Cli:
    need("solana-cli")
    cli = Cli(net, tmp_path)
    cli.key("payer")
    cli.run("airdrop", "100")
    return cli


def test_money_is_given_moved_and_confirmed(cli: Cli) -> None:
    to = str(cli.key("to").pubkey())
    assert cli.run("balance").strip() == "100 SOL"
    sent = cli.json("transfer", "--allow-unfunded-recipient", to, "1.5")
    assert cli.run("balance", to).strip() == "1.5 SOL"
    confirmed = cli.run("confirm", "-v", sent["signature"])
    assert "Status: Ok" in confirmed
    assert "Finalized" in confirmed or "Confirmed" in confirmed
    history = cli.run("transaction-history", to)
    assert sent["signature"] in history
    refused = cli.run("transfer", "--allow-unfunded-recipient", to, "1000", fails=True)
    assert "insufficient" in refused.lower()


def test_a_program_from_its_deploy_to_its_end(cli: Cli) -> None:
    elf = cli.home / "program.so"
    elf.write_bytes(memo_elf())
    program = str(cli.key("program").pubkey())
    deploy = ("program", "deploy", "--use-rpc", str(elf), "--program-id")
    made = cli.json(*deploy, cli.file("program"))
    assert made["programId"] == program

    shown = cli.json("program", "show", program)
    payer = cli.run("address").strip()
    assert (shown["programId"], shown["authority"]) == (program, payer)
    assert shown["dataLen"] == len(memo_elf())
    assert cli.net.call("getAccountInfo", program, {"encoding": "jsonParsed"})["value"][
        "executable"
    ]

    cli.json(*deploy, cli.file("program"))  # an upgrade
    upgraded = cli.json("program", "show", program)
    assert upgraded["lastDeploySlot"] > shown["lastDeploySlot"]

    cli.run("program", "extend", program, "10240")
    assert cli.json("program", "show", program)["dataLen"] == len(memo_elf()) + 10_240

    other = str(cli.key("other").pubkey())
    authority = ("program", "set-upgrade-authority", program)
    cli.run(*authority, "--new-upgrade-authority", cli.file("other"))
    assert cli.json("program", "show", program)["authority"] == other
    refused = cli.run(*deploy, cli.file("program"), fails=True)
    assert "authority" in refused.lower()

    receiver = cli.key("receiver").pubkey()
    cli.run(
        *("program", "close", program, "--bypass-warning"),
        *("--authority", cli.file("other"), "--recipient", str(receiver)),
    )
    assert cli.net.balance(receiver) == cli.net.rent(45 + len(memo_elf()) + 10_240)
    assert "closed" in cli.run("program", "show", program, fails=True).lower()
