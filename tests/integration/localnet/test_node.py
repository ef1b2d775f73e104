"""The JavaScript clients against a localnet: airdrop, transfers, subscriptions, what landed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.integration.localnet.support import Localnet
from tests.testbed.node import installed

SOURCES = Path(__file__).with_name("node")


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        (
            "web3.mjs",
            "airdrop subscriptions versionZero foundAgain programAccounts refusals",
        ),
        ("kit.mjs", "airdrop subscriptions versions programAccounts refusals"),
    ],
)
def test_a_javascript_client_works(net: Localnet, tmp_path: Path, script: str, parts: str) -> None:
    (tmp_path / "node_modules").symlink_to(installed(SOURCES) / "node_modules")
    shutil.copy(SOURCES / script, tmp_path / script)
    done = subprocess.run(
        ["node", script, net.url, net.ws_url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + "\n".join(net.lines[-20:])
    assert [line.split()[1] for line in done.stdout.splitlines()] == parts.split()
