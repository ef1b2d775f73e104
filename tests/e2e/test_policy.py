"""A reviewed plan, a freeze, a second person: on the real platform, as operators use them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.support import Platform
from tests.e2e.test_change_and_back import change_api, told_version
from tests.testbed.beds import need


def test_a_saved_plan_a_freeze_and_the_way_back(deployed: Platform) -> None:
    old = told_version(deployed)
    change_api(deployed, "5.0.0")
    plan = deployed.folder / "plan.json"
    deployed.run("deploy", "local", "--plan-out", str(plan)).ended(2)
    assert plan.stat().st_mode & 0o777 == 0o600

    deployed.run("freeze", "local", "--reason", "final of the cup").ended(0)
    deployed.run("deploy", "local").refused(7, "final of the cup", "cbctl unfreeze local")
    deployed.run("deploy", "local", "--plan-file", str(plan)).refused(7, "final of the cup")
    assert told_version(deployed) == old
    shown = deployed.run("deploy", "local", "--plan", "-o", "json").ended(2).json
    assert [h["rule"] for h in shown["held"]] == ["freeze"]

    past = ("--override", "freeze", "--reason", "the cup needs this")
    result = deployed.deploy("--plan-file", str(plan), *past)
    assert (result["release"], told_version(deployed)) == ("r2", "5.0.0")
    first = deployed.journal(result["run"])[0]["data"]
    assert first["plan"] == json.loads(plan.read_text())["hash"]
    (passed,) = first["passed"]
    assert (passed["rule"], passed["by"]) == ("freeze", "override")
    assert passed["reason"] == "the cup needs this"
    why = deployed.run("why", result["run"], "--env", "local").ended(0)
    assert "the cup needs this" in why.out

    # A step alone is held back as well; stopping the program is not.
    alone = ("program", "extend", "--capacity", "90000", "--env", "local")
    refused = deployed.run(*alone).refused(7, "final of the cup", "cbctl deploy local, which takes")
    assert "--override freeze" not in refused.err  # it has no such option
    deployed.run("program", "pause", "--env", "local").ended(0)
    deployed.run("program", "unpause", "--env", "local").refused(7, "final of the cup")

    # Frozen still: the way back is open, and says what it went past.
    back = deployed.run("rollback", "local").ended(0)
    assert "past the rule freeze" in back.err and "never held back" in back.err
    assert told_version(deployed) == old
    entries = deployed.run("audit", "list", "--env", "local", "-o", "json").ended(0).json
    (entry,) = [e for e in entries if e["what"] == "rollback"]
    assert "past freeze" in entry["reason"]
    assert not [e for e in entries if "policy changed" in e["reason"]]
    deployed.run("audit", "verify", "--env", "local").ended(0)

    # Done, it counts no more; nor does it when something changed.
    deployed.run("unfreeze", "local", "--reason", "over").ended(0)
    change_api(deployed, "6.0.0")
    deployed.run("deploy", "local", "--plan-file", str(plan)).refused(7, "changed since", "api")
    assert told_version(deployed) == old

    # What was laid down cannot be read: a deploy is held back, the way back is not.
    deployed.deploy()
    history = deployed.state / "policy" / "history.ndjson"
    sound = history.read_bytes()
    history.write_bytes(sound.replace(b"{", b"[", 1))
    change_api(deployed, "7.0.0")
    deployed.run("deploy", "local").refused(10, "policy/history")
    assert "cannot be said" in deployed.run("status", "local").ended(0).out
    again = deployed.run("rollback", "local").ended(0)
    assert "what was laid down cannot be read" in again.err
    assert told_version(deployed) == old
    history.write_bytes(sound)


def test_a_plan_pins_also_what_it_decides_later(platform: Platform) -> None:
    """Nothing is there yet, so the API is only looked at when the rest is done."""
    plan = platform.folder / "plan.json"
    platform.run("deploy", "local", "--plan-out", str(plan)).ended(2)
    change_api(platform, "6.6.6")
    platform.run("deploy", "local", "--plan-file", str(plan)).refused(7, "the api.source")
    assert platform.journal() == []


def test_a_resume_deploys_what_was_let_through_and_nothing_else(platform: Platform) -> None:
    from tests.e2e.test_stopped import first_intent, reach

    running = platform.start("deploy", "local")
    reach(platform, running, first_intent)
    running.kill()
    before = (platform.source / "__init__.py").read_text()
    change_api(platform, "6.6.6")
    platform.run("resume", "local").refused(7, "api.source", "start a new run")
    (platform.source / "__init__.py").write_text(before)
    platform.run("resume", "local").ended(0)


def test_a_run_that_was_let_through_is_resumed_under_a_freeze(platform: Platform) -> None:
    from tests.e2e.test_stopped import first_intent, reach

    running = platform.start("deploy", "local")
    reach(platform, running, first_intent)
    running.kill()
    platform.run("freeze", "local", "--reason", "too late for this one").ended(0)
    platform.run("deploy", "local").refused(7, "too late for this one")
    resumed = platform.run("resume", "--env", "local").ended(0)
    assert "a resume is never held back" in resumed.err
    platform.run("health", "local").ended(0)


@dataclass
class Somebody(Platform):
    """cbctl by a person who logged in under this id and works as the user of the tests."""

    login: int = 0

    @property
    def launcher(self) -> list[str]:
        command = shlex.join(super().launcher)
        log_in = f"echo {self.login} > /proc/self/loginuid"
        return ["sh", "-c", f'{log_in} && exec {command} "$@"', "cbctl"]


def test_a_second_person_approves(tmp_path: Path) -> None:
    need("login-ids")
    anna = Somebody.make(tmp_path)
    assert isinstance(anna, Somebody)
    anna.login = 4242
    ben = Somebody(anna.folder, anna.root, anna.api_port, anna.chain_port, login=4243)
    try:
        text = anna.config.read_text()
        assert text.count("    database:\n      on: local\n") == 1
        policy = "    policy:\n      approval: true\n    database:\n      on: local\n"
        anna.config.write_text(text.replace("    database:\n      on: local\n", policy))
        plan = anna.folder / "plan.json"
        anna.run("deploy", "local", "--plan-out", str(plan)).ended(2)
        hash = json.loads(plan.read_text())["hash"]
        refused = anna.run("deploy", "local", "--plan-file", str(plan)).refused(7, "approval")
        assert f"cbctl approve {hash} --env local" in refused.err

        anna.run("approve", hash, "--env", "local").refused(64, "--yes")
        anna.run("approve", hash, "--env", "local", "--yes").ended(0)
        anna.run("deploy", "local").refused(7, "own approval does not count")

        ben.run("approve", "0" * 64, "--env", "local", "--yes").refused(7, hash[:12])
        told = ben.run("approve", hash[:12], "--env", "local", "--yes").ended(0)
        assert "uid 4243 as" in told.out and "keypair program" in told.err
        assert anna.deploy("--plan-file", str(plan))["release"] == "r1"
        whom = anna.run("audit", "list", "--env", "local", "-o", "json").ended(0).json
        assert [(e["kind"], e["who"].split()[1]) for e in whom] == [
            ("approval", "4242"),
            ("approval", "4243"),
            ("run", "4242"),
        ]

        # The approval was for that run alone.
        change_api(anna, "5.0.0")
        anna.run("deploy", "local").refused(7, "approval")
        anna.run("rollback", "local").refused(7, "no earlier healthy release")
    finally:
        anna.end()
