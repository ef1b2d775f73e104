"""The first deploy, the second, and what can be looked at afterwards."""

from __future__ import annotations

import json
import os
import signal

import psutil
from solders.pubkey import Pubkey
from tests.e2e.support import Platform, wait_until

PARTS = ["postgres", "redis", "localnet", "program", "api"]
STEPS = ["elf", "postgres", "redis", "localnet", "program", "api", "verify"]


def test_a_fresh_deploy_and_a_second_one(platform: Platform) -> None:
    plan = platform.run("deploy", "local", "--plan").ended(2)
    assert "postgres: Run Postgres on this machine" in plan.out
    machine = platform.run("deploy", "local", "--plan", "--output", "json").ended(2).json
    assert machine["changes"] is True
    assert platform.processes() == []
    assert list((platform.state / "secrets").iterdir()) == []
    assert platform.journal() == []

    first = platform.run("deploy", "local").ended(0)
    table = first.out.lstrip().splitlines()
    assert table[0].split() == ["NAME", "STATE", "VERSION", "URL"]
    assert [line.split()[0] for line in table[1:6]] == PARTS
    assert "release: r1" in first.out
    assert "deploy succeeded" in first.err

    second = platform.run("deploy", "local").ended(0)
    assert "nothing to do" in second.err
    assert second.out.lstrip().splitlines()[0:1] == table[0:1]
    again = platform.run("deploy", "local", "--output", "json").ended(0).json
    assert (again["result"], again["changes"], again["release"]) == ("unchanged", [], "r1")
    assert platform.run("deploy", "local", "--plan").ended(0).out.startswith("Already right")
    assert [r["id"] for r in platform.releases()] == ["r1"]

    # the token that Stable markets take: authority, all of the supply, six decimals, initialized
    token = platform.account(platform.address("usdc-mint"))
    assert token[4:46] == (
        bytes(Pubkey.from_string(platform.address("wallet")))
        + (10**12).to_bytes(8, "little")
        + b"\6\1"
    )
    status, body = platform.get("/v1/program")
    assert status == 200, body
    assert json.loads(body)["data"]
    assert platform.get("/ready")[0] == 200


def test_events_are_a_stream_whose_last_one_is_the_result(platform: Platform) -> None:
    first = platform.run("deploy", "local", "--events", "ndjson").ended(0)
    events = first.events
    assert {"type", "at", "run", "data"} == set(events[0])
    assert [e["type"] for e in events].count("run.ended") == 1
    assert events[-1]["type"] == "run.ended"
    end = events[-1]["data"]
    assert (end["result"], end["exit"], end["release"]) == ("succeeded", 0, "r1")
    assert end["run"] == events[-1]["run"] == platform.journal()[-1]["data"].get("run", end["run"])
    assert {e["data"]["step"] for e in events if e["type"] == "step.done"} >= {*STEPS, "migrate"}
    changed = [e for e in events if e["type"] == "step.done" and e["data"]["changed"]]
    assert sum(len(e["data"]["changes"]) for e in changed) == len(end["changes"])

    second = platform.run("deploy", "local", "--events", "ndjson").ended(0).events
    assert second[-1]["data"] == {
        "run": "",
        "result": "unchanged",
        "exit": 0,
        "changes": [],
        "release": "r1",
        "error": None,
    }


def test_the_events_of_a_refusal_end_with_the_result_too(platform: Platform) -> None:
    platform.elf.write_bytes(b"no ELF")
    done = platform.run("deploy", "local", "--events", "ndjson").ended(7)
    assert done.events[-1]["type"] == "run.ended"
    assert (done.events[-1]["data"]["result"], done.events[-1]["data"]["exit"]) == ("refused", 7)
    told = platform.run("deploy", "local", "--output", "json").ended(7).json
    assert told == done.events[-1]["data"]
    # The same where it did not come to looking at anything.
    platform.idl.unlink()
    wrong = platform.run("deploy", "local", "--events", "ndjson").refused(64, "cbctl.yaml")
    assert [e["type"] for e in wrong.events] == ["run.ended"]
    told = platform.run("deploy", "local", "--output", "json").refused(64, "cbctl.yaml").json
    assert told == wrong.events[-1]["data"]
    assert "crypto_bet.idl.json" in told["error"]["what"]


def test_status_and_health(shared: Platform) -> None:
    told = shared.run("status", "local", "--output", "json").ended(0).json
    assert (told["environment"], told["release"]) == ("local", "r1")
    assert [p["name"] for p in told["parts"]] == PARTS
    for part in told["parts"]:
        assert set(part) >= {"name", "url", "version", "state"}
        assert part["version"], part
        assert part["url"], part
        assert part["state"] == ("deployed" if part["name"] == "program" else "running")

    health = shared.run("health", "local", "--output", "json").ended(0).json
    assert (health["environment"], health["healthy"]) == ("local", True)
    assert {p["name"]: p["state"] for p in health["parts"]} == dict.fromkeys(STEPS, "healthy")
    assert "healthy" in shared.run("health", "local").ended(0).out
    text = shared.run("status", "local", env={"CBCTL_ENV": "local"}).ended(0).out
    assert text == shared.run("status", env={"CBCTL_ENV": "local"}).ended(0).out


def test_releases_runs_and_lock(shared: Platform) -> None:
    (release,) = shared.releases()
    assert (release["id"], release["state"]) == ("r1", "healthy")
    assert release["parts"]["program_hash"] == release["parts"]["elf"]
    assert shared.program_on_chain(release["parts"]["program_id"]) == release["parts"]["elf"]
    assert "r1" in shared.run("releases", "local").ended(0).out

    (run,) = shared.run("runs", "list", "--env", "local", "--output", "json").ended(0).json
    assert (run["kind"], run["result"], run["exit"], run["release"]) == (
        "deploy",
        "succeeded",
        0,
        "r1",
    )
    assert run["run"] in shared.run("runs", "list", "--env", "local").ended(0).out
    for name in (run["run"], "last"):
        records = shared.run("runs", "show", name, "--env", "local", "-o", "json").ended(0).json
        assert records[0]["type"] == "run.started"
        assert records[-1]["type"] == "run.ended"
    assert "release.recorded" in shared.run("runs", "show", "last", "--env", "local").ended(0).out
    shared.check_journals()

    lock = shared.run("lock", "status", "local", "--output", "json").ended(0).json
    assert (lock["held"], lock["holder"]) == (False, None)
    assert "nobody holds the lock" in shared.run("lock", "status", "local").ended(0).out


def test_a_changed_journal_is_noticed(shared: Platform) -> None:
    (path,) = (shared.state / "runs").glob("*.ndjson")
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"run.started"', b'"run.begun"', 1))
    try:
        done = shared.run("runs", "show", "last", "--env", "local")
        done.refused(10, "the journal was changed after it was written")
    finally:
        path.write_bytes(before)


def test_health_of_what_died(shared: Platform) -> None:
    watching = shared.start("health", "local", "--watch", "--every", "0.2")
    stdout = watching.process.stdout
    assert stdout is not None
    head = [stdout.readline() for _ in range(1 + len(STEPS))]
    assert all("healthy" in line for line in head[1:]), head

    # Its supervisor stopped, nobody starts it again.
    answer = json.loads((shared.state / "supervisor.json").read_text())
    supervisor = psutil.Process(answer["process"]["pid"])
    supervisor.suspend()
    try:
        os.killpg(shared.pids()["api"], signal.SIGKILL)
        seen = ""
        while "api unhealthy" not in seen:
            line = stdout.readline()
            assert line, seen
            seen += line
        health = shared.run("health", "local", "--output", "json").ended(10).json
        states = {p["name"]: p["state"] for p in health["parts"]}
        assert health["healthy"] is False
        assert states["api"] == "unhealthy"
        assert states["postgres"] == states["redis"] == states["program"] == "healthy"
        assert shared.status()["api"]["state"] != "running"
    finally:
        supervisor.resume()
    seen = ""
    while "api healthy" not in seen:
        line = stdout.readline()
        assert line, seen
        seen += line
    watching.signal(signal.SIGINT)
    ended = watching.end()
    assert ended.exit in (0, 8), ended
    assert "Traceback" not in ended.err
    wait_until(lambda: shared.run("health", "local").exit == 0, "health")


def test_logs_and_restart(shared: Platform) -> None:
    before = shared.pids()
    assert "restarted, ready" in shared.run("local", "restart", "api").ended(0).out
    after = shared.pids()
    assert {n for n in after if after[n] != before[n]} == {"api"}
    lines = shared.run("local", "logs", "api", "--lines", "3").ended(0).out.splitlines()
    assert 0 < len(lines) <= 3
    everything = shared.run("local", "logs").ended(0).out
    assert {line.split()[0] for line in everything.splitlines()} >= {"api", "postgres"}
    assert shared.deploy()["changes"] == []


def test_only_and_skip_record_no_release(platform: Platform) -> None:
    keys = platform.run("deploy", "local", "--only", "keys", "--only", "elf", "-o", "json").ended(0)
    assert {c["step"] for c in keys.json["changes"]} == {"keys", "elf"}
    assert keys.json["release"] is None
    assert platform.processes() == []
    rest = platform.run("deploy", "local", "--skip", "verify", "-o", "json").ended(0).json
    assert rest["release"] is None
    assert platform.releases() == []
    assert "keys" not in {c["step"] for c in rest["changes"]}
    last = platform.deploy()
    assert (last["changes"], last["release"]) == ([], "r1")
