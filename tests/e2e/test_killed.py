"""`deploy local` killed with -9 anywhere: `resume` ends where an unbroken run would have ended."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.end_state import End
from tests.e2e.rigged import Rigged
from tests.e2e.support import Platform
from tests.testbed.memory import memory_folder

STEPS = (
    *("keys", "elf", "postgres", "redis", "localnet", "migrate", "program", "mint", "initialize"),
    "api",
)
"""Those that change something in a first deploy."""

RECORDS = (
    "run.started",
    *(f"step.{what}:{step}" for step in STEPS for what in ("intent", "outcome", "verified")),
    "history",
    "release.recorded",
    "run.ended",
)
"""All that a first deploy writes."""


@dataclass(frozen=True)
class Unbroken:
    """effects: how many each step had"""

    end: End
    effects: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def platform() -> Iterator[Rigged]:
    home = Path(tempfile.mkdtemp(prefix="cbctl-killed-", dir=memory_folder()))
    made = Rigged.make(home)
    yield made
    made.end()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    platform = Rigged.make(tmp_path_factory.mktemp("unbroken"))
    counts = platform.folder / "counts.json"
    try:
        with platform.at(f"count:{counts}"):
            platform.deploy()
        written = [_name(r) for r in platform.journal()]
        assert sorted([*written, "history"]) == sorted(RECORDS), "RECORDS is out of date"
        effects = json.loads(counts.read_text())
        assert sorted(effects) == sorted(STEPS), "a step without an effect that can be counted"
        return Unbroken(End.of(platform), effects)
    finally:
        platform.end()


def _name(record: dict[str, Any]) -> str:
    step = record["data"].get("step")
    return f"{record['type']}:{step}" if step else str(record["type"])


def share(unbroken: Unbroken, step: str, part: float) -> str:
    """The point after that part of the step's effects: 0 is before the first, 1 the last."""
    last = unbroken.effects[step]
    return f"in:{step}:{1 + round(part * (last - 1))}"


# -- what holds after each kill ---------------------------------------------------------------


def go_on(platform: Platform, unbroken: End) -> None:
    """Resumes as a user does who knows nothing of what was going on, and compares the end."""
    journal = platform.journal()
    platform.check_journals()
    if not journal:
        platform.run("resume", "local").refused(64, "no interrupted run")
        platform.deploy()
    elif journal[-1]["type"] == "run.ended":
        platform.run("resume", "local").refused(64, "no interrupted run")
    else:
        (run,) = platform.run("runs", "list", "--env", "local", "-o", "json").ended(0).json
        assert run["result"] == "interrupted"
        resumed = platform.run("resume", "local", "--output", "json").ended(0).json
        told = (resumed["run"], resumed["result"], resumed["release"])
        assert told == (run["run"], "succeeded", "r1")
    whole(platform, unbroken)


def whole(platform: Platform, unbroken: End) -> None:
    unbroken.require(End.of(platform))
    platform.check_journals()
    platform.run("audit", "verify", "--env", "local").ended(0)
    assert platform.deploy()["changes"] == []
    platform.run("health", "local").ended(0)
    assert len(platform.journal()) >= len(RECORDS) - 1
    assert left_over(platform) == []


def left_over(platform: Platform) -> list[Path]:
    """What a killed attempt left that nobody needs."""
    folders = ("artifacts", "postgres", "redis", "secrets", "services")
    inside = [path for name in folders for path in (platform.state / name).iterdir()]
    return [path for path in inside if path.name.startswith((".", "data.new"))]


# -- the sample of `make test`: thirteen kills in three runs ------------------------------------

CHAINS: dict[str, tuple[str | tuple[str, float], ...]] = {
    # The database: known to be wanted, half made, made and not journalled.
    "postgres": (
        "after:run.started",
        "after:step.intent:postgres",
        ("postgres", 0.5),
        "before:step.outcome:postgres",
    ),
    # The chain: keys that must stay the same, a half sent program, money and tokens that are given
    # once.
    "chain": (
        ("keys", 0.5),
        "before:step.outcome:localnet",
        ("program", 0.6),
        "before:step.outcome:mint",
        "before:step.outcome:initialize",
    ),
    # The end: a migration, the code of the API, the release beside its own record, the last word.
    "end": (("migrate", 0.5), ("api", 0.5), "after:history", "before:run.ended"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_killed_resumed_and_killed_again(platform: Rigged, unbroken: Unbroken, name: str) -> None:
    command = ("deploy", "local")
    for point in CHAINS[name]:
        platform.dies(point if isinstance(point, str) else share(unbroken, *point), *command)
        platform.check_journals()
        command = ("resume", "local")
    go_on(platform, unbroken.end)


# -- every boundary, and every step from its first effect to its last -------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_boundary(
    platform: Rigged, unbroken: Unbroken, record: str, moment: str
) -> None:
    platform.dies(f"{moment}:{record}", "deploy", "local")
    go_on(platform, unbroken.end)


@pytest.mark.nightly
@pytest.mark.parametrize("record", ["run.started", "step.intent:api", "history", "run.ended"])
def test_cut_off_in_the_middle_of_a_record(
    platform: Rigged, unbroken: Unbroken, record: str
) -> None:
    platform.dies(f"torn:{record}", "deploy", "local")
    go_on(platform, unbroken.end)


@pytest.mark.nightly
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("part", [0.0, 0.35, 0.7, 1.0])
def test_killed_in_a_step(platform: Rigged, unbroken: Unbroken, step: str, part: float) -> None:
    platform.dies(share(unbroken, step, part), "deploy", "local")
    go_on(platform, unbroken.end)


@pytest.mark.nightly
def test_killed_while_the_last_step_looks(platform: Rigged, unbroken: Unbroken) -> None:
    platform.dies("look:verify", "deploy", "local")
    go_on(platform, unbroken.end)


@pytest.mark.nightly
@pytest.mark.parametrize("record", ["run.resumed", "step.intent:program", "run.ended"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_resume_is_killed(
    platform: Rigged, unbroken: Unbroken, record: str, moment: str
) -> None:
    platform.dies("before:step.intent:program", "deploy", "local")
    platform.dies(f"{moment}:{record}", "resume", "local")
    go_on(platform, unbroken.end)
