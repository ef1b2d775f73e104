"""Changes of what is deployed, the way back, and a machine that was switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.support import REPOSITORY, Platform


def change_api(platform: Platform, version: str) -> None:
    """Another version number that /health tells."""
    path = platform.source / "__init__.py"
    text = path.read_text()
    before = next(line for line in text.splitlines() if line.startswith("__version__"))
    path.write_text(text.replace(before, f'__version__ = "{version}"'))


def told_version(platform: Platform) -> str:
    status, body = platform.get("/health")
    assert status == 200, body
    return str(json.loads(body)["version"])


def states(releases: list[dict[str, Any]]) -> dict[str, str]:
    return {r["id"]: r["state"] for r in releases}


def test_changed_source_and_rollback(deployed: Platform) -> None:
    old, pids = told_version(deployed), deployed.pids()

    change_api(deployed, "7.7.7")
    plan = deployed.run("deploy", "local", "--plan", "--output", "json").ended(2).json
    assert {s["id"] for s in plan["steps"] if s["verdict"] == "changes"} == {"api"}
    result = deployed.deploy()
    assert result["release"] == "r2"
    assert {c["step"] for c in result["changes"]} == {"api"}
    assert told_version(deployed) == "7.7.7" == deployed.status()["api"]["version"]
    after = deployed.pids()
    assert {name for name in after if after[name] != pids[name]} == {"api"}

    assert deployed.run("rollback", "local", "--plan").ended(2)
    back = deployed.run("rollback", "local", "--output", "json").ended(0).json
    assert {c["step"] for c in back["changes"]} == {"api"}
    assert told_version(deployed) == old
    releases = deployed.releases()
    assert states(releases) == {"r1": "healthy", "r2": "bad", back["release"]: "healthy"}
    assert releases[-1]["id"] == back["release"]
    assert releases[-1]["parts"]["api"] == releases[0]["parts"]["api"]
    assert "rolled back" in next(r["reason"] for r in releases if r["id"] == "r2")

    again = deployed.run("rollback", "local").refused(7, "no earlier healthy release", "r1", "r2")
    assert "it is bad" in again.err
    deployed.run("rollback", "local", "--to", "r2").refused(7, "r2", "bad")
    deployed.run("rollback", "local", "--to", "r9").refused(64, "r9", "r1")
    assert told_version(deployed) == old
    deployed.run("health", "local").ended(0)
    deployed.check_journals()


def test_rollback_of_the_first_release_says_why_not(shared: Platform) -> None:
    shared.run("rollback", "local").refused(7, "no earlier healthy release")
    wanted = shared.run("rollback", "local", "--output", "json").ended(7).json
    assert (wanted["result"], wanted["exit"]) == ("refused", 7)


def add_migration(platform: Platform, name: str, up: str) -> None:
    number = len(list(platform.migrations.glob("*.up.sql"))) + 1
    (platform.migrations / f"{number:04d}_{name}.up.sql").write_text(up)
    (platform.migrations / f"{number:04d}_{name}.down.sql").write_text("SELECT 1;\n")
    path = platform.source / "schema.json"
    works_with = json.loads(path.read_text())
    works_with["max"] = number
    path.write_text(json.dumps(works_with))


def test_a_contracted_schema_lets_no_older_release_back(platform: Platform) -> None:
    add_migration(platform, "wide", "CREATE TABLE extra (id bigint PRIMARY KEY, old text);\n")
    platform.deploy()
    first = platform.releases()[-1]["parts"]

    # The contracting migration never runs in the deploy that brings it.
    add_migration(platform, "narrow", "-- cbctl: phase=post\nALTER TABLE extra DROP COLUMN old;\n")
    change_api(platform, "2.0.0")
    second = platform.deploy()
    assert not any("narrow" in c["what"] for c in second["changes"])
    # Nor does the same release again.
    assert platform.deploy()["changes"] == []

    # Asked for, by a runbook of the team's own, it runs and closes the way back to the first.
    own = platform.folder / "ours"
    own.mkdir()
    book = (REPOSITORY / "runbooks" / "deploy.yaml").read_text()
    wanted = "      schema: ${env.migrations.schema}\n"
    assert book.count(wanted) == 1
    (own / "deploy.yaml").write_text(book.replace(wanted, wanted + "      phase: post\n"))
    platform.edit("platform: crypto-bet\n", "platform: crypto-bet\nrunbooks: ours\n")
    change_api(platform, "3.0.0")
    third = platform.deploy()
    assert any("narrow" in c["what"] for c in third["changes"]), third
    known = platform.releases()
    assert [r["id"] for r in known] == ["r1", "r2", "r3"]
    assert known[-1]["parts"]["schema_contracted"] > first["schema_max"]
    closed = "has taken away what it needs"
    platform.run("rollback", "local", "--to", "r1").refused(7, "r1", closed)
    assert told_version(platform) == "3.0.0"
    platform.run("rollback", "local").ended(0)
    assert told_version(platform) == "2.0.0"
    platform.run("rollback", "local").refused(7, "r1", closed)


@pytest.mark.nightly
def test_another_program_and_back(deployed: Platform) -> None:
    from tests.e2e.elf import another_build

    first = deployed.releases()[-1]["parts"]
    another_build(deployed.elf)
    result = deployed.deploy()
    assert {c["step"] for c in result["changes"]} >= {"elf", "program"}
    assert "api" not in {c["step"] for c in result["changes"]}
    second = deployed.releases()[-1]["parts"]
    assert second["program_hash"] != first["program_hash"]
    assert deployed.program_on_chain(first["program_id"]) == second["program_hash"]
    deployed.run("rollback", "local").ended(0)
    assert deployed.program_on_chain(first["program_id"]) == first["program_hash"]


def test_after_a_reboot_only_what_is_down_is_started(deployed: Platform) -> None:
    before, journal = deployed.pids(), len(deployed.releases())
    slot = deployed.rpc("getSlot")
    deployed.kill_everything()
    assert deployed.run("health", "local").exit == 10
    down = deployed.status()
    assert {p["state"] for p in down.values()} == {"stopped", "unknown"}, down

    result = deployed.deploy()
    # The supervisor that is started for the first one starts at once whatever should run.
    started = {c["step"] for c in result["changes"]}
    assert started, result
    assert started <= {"postgres", "redis", "localnet", "api"}, result
    assert {c["after"] for c in result["changes"]} == {"running"}, result
    assert result["release"] == "r1"
    assert len(deployed.releases()) == journal
    assert not set(before.values()) & set(deployed.pids().values())
    assert deployed.rpc("getSlot") >= slot
    assert deployed.deploy()["changes"] == []
    deployed.run("health", "local").ended(0)


def test_after_the_supervisor_alone_died(shared: Platform) -> None:
    import psutil

    answer = json.loads((shared.state / "supervisor.json").read_text())
    before = shared.pids()
    psutil.Process(answer["process"]["pid"]).kill()
    assert {p["state"] for p in shared.status().values()} == {"unsupervised", "deployed"}
    result = shared.deploy()
    assert shared.pids() == before
    assert result["release"] == "r1"
    assert shared.deploy()["changes"] == []


def test_down_and_up_again(shared: Platform) -> None:
    balance = shared.balance()
    assert shared.run("local", "down").ended(0).out == "stopped: api, localnet, redis, postgres\n"
    assert shared.processes() == []
    assert "nothing was running" in shared.run("local", "down").ended(0).out
    assert {p["state"] for p in shared.status().values()} == {"stopped", "unknown"}
    assert shared.run("health", "local").exit == 10
    shared.run("deploy", "local", "--plan").ended(2)
    result = shared.deploy()
    assert result["release"] == "r1"
    assert {c["step"] for c in result["changes"]} <= {"postgres", "redis", "localnet", "api"}
    assert shared.balance() == balance


@pytest.mark.nightly
def test_the_state_folder_may_be_anywhere(platform: Platform, tmp_path: Path) -> None:
    platform.root = tmp_path / "a folder with blanks and ümlauts"
    platform.deploy()
    assert platform.run("deploy", "local").ended(0)
