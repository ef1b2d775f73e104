"""`cbctl deploy` and `cbctl rollback` where others have to sign for the program."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from tests.e2e.elf import another_build
from tests.e2e.support import PATIENCE, Platform
from tests.testbed.multisig import signed
from tests.testbed.waiting import wait_for


def asked(platform: Platform, key: Keypair, *command: str) -> dict[str, Any]:
    """A command that ends waiting; the multisig then does what it was asked to. Its result."""
    told = platform.run(*command, "--events", "ndjson").ended(5).events
    (waiting,) = [event["data"] for event in told if event["type"] == "step.waiting"]
    assert waiting["step"] == "program"
    result: dict[str, Any] = told[-1]["data"]
    assert (result["result"], result["release"]) == ("waiting", None)
    newest = platform.rpc("getLatestBlockhash")["value"]["blockhash"]
    done = signed(waiting["evidence"]["base64"], Hash.from_string(newest), key)
    text = base64.b64encode(bytes(done)).decode()
    confirmed(platform, platform.rpc("sendTransaction", text, {"encoding": "base64"}))
    return result


def confirmed(platform: Platform, signature: str) -> None:
    def status() -> Any:
        (found,) = platform.rpc("getSignatureStatuses", [signature])["value"]
        return found if found and found["confirmationStatus"] != "processed" else None

    assert wait_for(status, PATIENCE)["err"] is None


@pytest.mark.nightly
def test_a_release_that_others_sign(deployed: Platform) -> None:
    key = Keypair()
    confirmed(deployed, deployed.rpc("requestAirdrop", str(key.pubkey()), 1_000_000_000))
    id = deployed.run("program", "show", "--env", "local", "--output", "json").ended(0).json
    program = str(id["program"])
    hand = ("program", "authority", "set", "--to", str(key.pubkey()), "--env", "local")
    deployed.run(*hand, "--confirm", program).ended(0)
    wallet = "      wallet: ${key:wallet}\n"
    deployed.edit(wallet, f"{wallet}      authority: {key.pubkey()}\n")

    another_build(deployed.elf)
    began = asked(deployed, key, "deploy", "local")
    assert [r["id"] for r in deployed.releases()] == ["r1"]
    done = deployed.run("resume", "--env", "local", "--output", "json").ended(0).json
    assert (done["run"], done["release"]) == (began["run"], "r2")
    assert deployed.deploy()["result"] == "unchanged"

    back = asked(deployed, key, "rollback", "local")
    done = deployed.run("resume", "--env", "local", "--output", "json").ended(0).json
    assert done["run"] == back["run"]
    first, _, last = deployed.releases()
    assert first["parts"]["program_hash"] == last["parts"]["program_hash"]
    deployed.check_journals()
