"""Clients that others wrote, and cbctl's own codec, against the program on a localnet: each takes a
market from its creation to a claim and reads every kind of account.

What they read must be what the layout says that the tests have by hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.compat.program import own_codec
from tests.compat.program.stage import BETS, Scene, Stage
from tests.testbed import anchorpy
from tests.testbed.node import installed
from tests.unit.programs.crypto_bet import Scope
from tests.unit.programs.markets import Kind, Result, State

FOLDER = Path(__file__).parent
PATIENCE = 200
NUMBERS = count(1)

CHOICES = {
    "pause_scope": Scope,
    "state": State,
    "kind": Kind,
    "proposed": Result,
    "result": Result,
}
TEXTS = {"title": 64, "description": 256, "category": 32, "metadata_uri": 128}
TRUTHS = {"fee_withdrawn", "swept", "claimed"}
# the fee is 2.5 % of both pools
FEE = (BETS["yes"] + BETS["no"]) * 250 // 10_000
PAID = BETS["yes"] + BETS["no"] - FEE

Read = dict[str, Any]
Client = Callable[[Scene, Path], Read]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    built = Stage.build(tmp_path_factory.mktemp("stage"))
    yield built
    built.net.stop()


def by_anchorpy(scene: Scene, folder: Path) -> Read:
    return told_by([str(anchorpy.python()), str(FOLDER / "anchorpy_life.py")], scene, folder)


def by_anchor(scene: Scene, folder: Path) -> Read:
    sources = FOLDER / "anchor"
    (folder / "node_modules").symlink_to(installed(sources) / "node_modules")
    shutil.copy(sources / "life.mjs", folder / "life.mjs")
    return told_by(["node", "life.mjs"], scene, folder)


def by_cbctl(scene: Scene, folder: Path) -> Read:
    return own_codec.live(scene)


def told_by(command: list[str], scene: Scene, folder: Path) -> Read:
    scene.write(folder / "scene.json")
    done = subprocess.run(
        [*command, "scene.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read: Read = json.loads(done.stdout.splitlines()[-1])
    return read


def expected(name: str, value: Any) -> Any:
    """A field as the clients are to print it."""
    if isinstance(value, dict):
        return {inner: expected(inner, item) for inner, item in value.items()}
    if name in CHOICES:
        return CHOICES[name](value).name.lower().replace("_", "")
    if name in TRUTHS:
        return bool(value)
    if name in TEXTS:
        return value.encode().ljust(TEXTS[name], b"\0").hex()
    return value.hex() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("client", [by_anchorpy, by_anchor, by_cbctl])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_a_market_from_creation_to_claim(
    stage: Stage, kind: Kind, client: Client, tmp_path: Path
) -> None:
    scene = stage.scene(kind, next(NUMBERS))
    read = client(scene, tmp_path)
    accounts = scene.accounts()
    for name, account in accounts.items():
        fields = {field: expected(field, value) for field, value in asdict(account).items()}
        assert read[name] == fields, name
    assert accounts["market"].state == State.RESOLVED
    assert accounts["position"].paid == PAID
    event = read["event"]
    assert event["name"][0].lower() + event["name"][1:] == "positionPaid"
    assert (event["amount"], event["refund"]) == (str(PAID), False)
    assert event["user"] == str(scene.people["yes"].pubkey())
    assert event["market"] == str(scene.addresses.market)
