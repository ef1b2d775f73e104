"""`cbctl rollback --emergency`: past whoever is at work, and each part's end by its name."""

from __future__ import annotations

import json

import pytest
from tests.e2e.support import Platform, wait_until
from tests.e2e.test_change_and_back import change_api, told_version
from tests.e2e.test_lock import begun

NAMED = ("--emergency", "--confirm", "local")


def test_past_a_deploy_that_goes_on(deployed: Platform) -> None:
    old = told_version(deployed)
    change_api(deployed, "7.7.7")
    deployed.deploy()
    (deployed.migrations / "0099_slow.up.sql").write_text("SELECT pg_sleep(15);\n")
    (deployed.migrations / "0099_slow.down.sql").write_text("SELECT 1;\n")
    schema = deployed.source / "schema.json"
    schema.write_text(json.dumps({**json.loads(schema.read_text()), "max": 99}))
    holder = deployed.start("deploy", "local")
    wait_until(lambda: begun(deployed, "migrate"), "the migration to begin")

    back = deployed.run("rollback", "local", *NAMED).ended(0)
    first, *_ = [line for line in back.err.splitlines() if "rollback of" in line]
    assert "rollback of local (this machine, chain local) to release r1" in first
    assert "r1" in back.err and "fits schema" in back.err
    assert "took the lock from" in back.err and "(deploy local)" in back.err
    assert "api: back, and seen" in back.err
    assert told_version(deployed) == old
    holder.end().refused(6, "the lock was lost, so nothing more was changed")

    deployed.run("deploy", "local").refused(7, "freeze", "emergency rollback of local to r1")
    broken = deployed.run("audit", "list", "--env", "local").ended(0).out
    assert "emergency rollback of local to r1" in broken
    deployed.run("audit", "verify", "--env", "local").ended(0)
    deployed.run("unfreeze", "local", "--reason", "found it").ended(0)

    # What was gone back from is bad, and there is no other one: said, and nothing is frozen.
    deployed.run("rollback", "local", *NAMED).refused(7, "no earlier healthy release")
    assert deployed.run("status", "local", "-o", "json").ended(0).json["frozen"] is None


def test_what_must_be_said_beforehand(shared: Platform) -> None:
    both = shared.run("rollback", "local", "--with-database", "--emergency")
    both.refused(64, "about the database alone")
    shared.run("rollback", "local", "--pause-program").refused(64, "goes with --emergency")
    shared.run("rollback", "local", "--emergency", "--plan").refused(64, "exclude each other")
    shared.run("rollback", "local", "--print").refused(64, "nothing of this environment is in")
    text = shared.config.read_text()
    try:
        shared.config.write_text(text.replace("    protected: true\n", ""))
        shared.run("rollback", "--emergency").refused(64, "which environment?", "local", "staging")
    finally:
        shared.config.write_text(text)
    # the only protected one, which is out of reach here
    shared.run("rollback", "--emergency").refused(64, "kubeconfig")
    shared.run("releases", "mark", "local", "r7", "bad", "--reason", "x").refused(64, "r7")
    assert [one["state"] for one in shared.releases()] == ["healthy"]
    shared.run("releases", "mark", "local", "r1", "bad", "--reason", "it lies").ended(0)
    (marked,) = shared.releases()
    assert (marked["state"], marked["reason"]) == ("bad", "it lies")
    shared.run("releases", "mark", "local", "r1", "healthy", "--reason", "no").ended(0)


@pytest.mark.nightly
def test_what_cannot_go_back_does_not_hold_up_the_rest(deployed: Platform) -> None:
    kept = deployed.state / "artifacts" / deployed.releases()[0]["parts"]["elf"]
    change_api(deployed, "7.7.7")
    deployed.deploy()
    deployed.run("local", "down").ended(0)
    kept.rename(deployed.folder / "kept")
    assert deployed.run("rollback", "local").exit != 0, "without it nothing is done"
    assert deployed.run("health", "local").exit == 10
    back = deployed.run("rollback", "local", *NAMED, "-o", "json").ended(5)
    states = {one["name"]: one["state"] for one in back.json["parts"]}
    assert {name for name, state in states.items() if state == "left"} == {
        "elf",
        "program",
        "api",
        "verify",
    }
    assert states["postgres"] == states["redis"] == states["localnet"] == "back"
    assert "left out: elf" in back.err and "verify: NOT back (it needs api)" in back.err
    assert [one["id"] for one in deployed.releases()] == ["r1", "r2"], "half a release"

    (deployed.folder / "kept").rename(kept)
    deployed.run("rollback", "local", *NAMED).ended(0)
    assert [one["state"] for one in deployed.releases()] == ["healthy", "bad", "healthy"]


@pytest.mark.nightly
def test_the_result_for_scripts_names_each_part(deployed: Platform) -> None:
    change_api(deployed, "8.0.0")
    deployed.deploy()
    done = deployed.run("rollback", "local", *NAMED, "--events", "ndjson").ended(0)
    last = done.events[-1]
    assert (last["type"], last["data"]["exit"]) == ("run.ended", 0)
    states = {one["name"]: one["state"] for one in last["data"]["parts"]}
    assert states["api"] == states["verify"] == "back"
    deployed.run("unfreeze", "local", "--reason", "over").ended(0)
