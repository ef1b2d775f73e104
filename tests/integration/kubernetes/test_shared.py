"""Journal, lock and releases that all machines share: `cbctl` on two, with the rights of CI."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import ENV, Toys
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.clients.kubernetes.api import Api
from cbctl.engine import journal, lock, release
from cbctl.machine import SystemClock, owner, owner_state
from cbctl.stores.cluster.objects import Objects
from cbctl.stores.cluster.store import ClusterStore

PATIENCE = 120.0


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "shared") as own:
        yield Toys(tmp_path, cluster, own)


@pytest.fixture
def store(toys: Toys) -> Iterator[ClusterStore]:
    environ = {"KUBECONFIG": str(toys.cluster.kubeconfig)}
    with closing(Api.connect(CONTEXT, toys.own, patience=30, environ=environ)) as api:
        yield ClusterStore(Objects(lambda: api), owner_state)


def elsewhere(toys: Toys) -> None:
    toys.machine = "another"


def until(holds: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.05)


def test_everything_is_the_same_from_another_machine(toys: Toys) -> None:
    rolled = toys.rollout()
    state = toys.folder / "state" / "toys" / ENV
    assert not list((state / "runs").iterdir()), "the journal is on this machine"
    elsewhere(toys)
    (run,) = toys.json("runs list")
    assert (run["run"], run["result"]) == (rolled["run"], "succeeded")
    user = f"system:serviceaccount:{toys.own}:crypto-bet-deployer"
    assert run["who"] == user, "who it was is what the cluster says"
    (begun, *_) = toys.json("runs show last")
    me = owner()
    assert begun["data"]["host"] == f"{me.who}@{me.host}", "and beside it, what the machine says"
    assert toys.json("lock status")["held"] is False
    assert [one["state"] for one in toys.json("api history")] == ["healthy"]
    assert toys.run("why last").count(rolled["run"])
    assert "api rollout succeeded" in toys.run("runs attach last")
    assert f"{CONTEXT}/{toys.own}" in toys.run(f"status {ENV}")
    toys.run("audit verify")
    toys.run("freeze --reason tonight")
    toys.machine = "state"
    frozen = toys.json("status")["frozen"]
    assert (frozen["who"], frozen["reason"]) == (user, "tonight")
    toys.run("unfreeze --reason morning")


@pytest.mark.nightly
def test_another_machine_goes_on_with_a_run_that_was_killed(toys: Toys) -> None:
    toys.overlay.deployment["spec"]["minReadySeconds"] = 8
    toys.overlay.write()
    with toys.started(f"api rollout --image {toys.image} --yes") as process:
        until(lambda: toys.json("lock status")["held"])
        elsewhere(toys)
        until(lambda: any(r["type"] == "step.intent" for r in toys.json("runs show last")))
        assert "lock is held" in toys.run("api restart --yes", exit=6)
        process.send_signal(signal.SIGKILL)
    (run,) = toys.json("runs list")
    assert run["result"] == "interrupted"
    resumed = toys.json("resume --yes")
    assert (resumed["run"], resumed["result"]) == (run["run"], "succeeded")
    assert toys.json("api status")["state"] == "rolled out"
    assert [one["result"] for one in toys.json("runs list")] == ["succeeded"]
    toys.run("audit verify")


@pytest.mark.nightly
def test_a_lock_that_is_broken_from_another_machine_stops_its_holder(toys: Toys) -> None:
    toys.overlay.app["command"] = ["no-such-program"]
    toys.overlay.write()
    with toys.started(f"api rollout --image {toys.image} --yes") as process:
        until(lambda: toys.json("lock status")["held"])
        until(lambda: any(r["type"] == "step.intent" for r in toys.json("runs show last")))
        lease = toys.kubectl("get", "lease")
        assert "api rollout" in lease and "crypto-bet-deployer" in lease
        psutil.Process(process.pid).suspend()
        elsewhere(toys)
        toys.run("lock break --reason nobody-is-there --yes")
        records = toys.json("runs list")
        psutil.Process(process.pid).resume()
        assert process.wait(PATIENCE) == 6
    assert toys.json("runs list") == records
    assert "nobody-is-there" in toys.run("audit list")


def record(toys: Toys, store: ClusterStore, **parts: Any) -> str:
    """A release, as a deploy would record it."""
    clock = SystemClock()
    held = lock.acquire(store, clock, owner(), lock.NO_RUN, "a test")
    run = store.streams(journal.RUNS)[-1]
    made = release.record(
        store,
        clock,
        held.token,
        run=f"{run.removeprefix(journal.RUNS)}-{parts.get('n', 0)}",
        who="somebody",
        state="healthy",
        parts=parts,
        identity={},
        head=journal.head(store, run),
    )
    held.release()
    return made


def outcome(toys: Toys) -> dict[str, Any]:
    told: dict[str, Any] = toys.rollout()["outcome"]
    records = toys.json("runs show last")
    full = next(r["data"]["outcome"] for r in records if r["type"] == "step.outcome")
    return {**told, **full}


@pytest.mark.parametrize(
    "strategy", ["rolling", pytest.param("blue-green", marks=pytest.mark.nightly)]
)
def test_the_commands_that_are_printed_lead_back(
    toys: Toys, store: ClusterStore, strategy: str
) -> None:
    toys.kubernetes["strategy"] = strategy
    toys.write()
    first = outcome(toys)
    spec = toys.get("deployment", "app")["spec"]["template"]["spec"]
    known = {"image": first["image"], "manifests": first["manifests"], "schema_version": 1}
    assert record(toys, store, n=1, **known) == "r1"
    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    second = outcome(toys)
    record(toys, store, n=2, image=second["image"], manifests=second["manifests"])
    script = toys.run(f"rollback {ENV} --print")
    assert "to release r1" in script.replace("back to", "to")
    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        env=toys.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, script + done.stdout + done.stderr
    assert "successfully rolled out" in done.stdout
    assert toys.get("deployment", "app")["spec"]["template"]["spec"] == spec
    if strategy == "blue-green":
        assert toys.get("service", "app")["spec"]["selector"]["cbctl/side"] == "blue"


def cut_off(toys: Toys) -> None:
    config = json.loads(toys.kubeconfig.read_text())
    for one in config["clusters"]:
        one["cluster"]["server"] = "https://127.0.0.1:1"
    toys.kubeconfig.write_text(json.dumps(config))


def test_releases_without_the_cluster(toys: Toys, store: ClusterStore) -> None:
    first = outcome(toys)
    record(toys, store, n=1, image="a", manifests=first["manifests"])
    record(toys, store, n=2, image="b", manifests=first["manifests"])
    assert "r1 is bad" in toys.run(f"releases mark {ENV} r1 bad --reason wrong")
    assert "already" in toys.run(f"releases mark {ENV} r1 bad --reason wrong")
    assert "no release r9" in toys.run(f"releases mark {ENV} r9 bad --reason x", exit=64)
    assert "r1: it is bad" in toys.run(f"rollback {ENV} --plan", exit=7)
    toys.run(f"releases mark {ENV} r1 healthy --reason right-after-all")
    listed = toys.json(f"releases {ENV}")
    assert [(one["id"], one["state"]) for one in listed] == [("r1", "healthy"), ("r2", "healthy")]

    cut_off(toys)
    gone = toys.process(f"releases {ENV} --output json")
    assert (gone.returncode, json.loads(gone.stdout)) == (1, listed)
    assert "nobody listens at the API server" in gone.stderr
    assert "this is the copy of" in gone.stderr
    back = toys.process(f"rollback {ENV} --emergency --confirm {ENV}")
    assert back.returncode == 5
    first_line = f"rollback of {ENV} (cluster {CONTEXT}/{toys.own}, account not recorded"
    assert first_line in back.stderr and "to release r1" in back.stderr
    assert "because the database cannot be asked" in back.stderr or "does not answer" in back.stderr
    assert "service: NOT back" in back.stderr and "--print" in back.stderr


@pytest.mark.nightly
def test_what_is_printed_without_the_cluster(toys: Toys, store: ClusterStore) -> None:
    first = outcome(toys)
    record(toys, store, n=1, image="a", manifests=first["manifests"])
    record(toys, store, n=2, image="b", manifests=first["manifests"])
    toys.run(f"releases mark {ENV} r2 bad --reason wrong")
    before = toys.run(f"rollback {ENV} --print")
    cut_off(toys)
    assert toys.run(f"rollback {ENV} --print") == before
    elsewhere(toys)
    assert "no release was copied to this machine" in toys.run(
        f"rollback {ENV} --emergency --confirm {ENV}", exit=1
    )


def test_another_namespace_and_no_rights_are_told_before_anything_is_changed(toys: Toys) -> None:
    path = toys.folder / "cbctl.yaml"
    settings = json.loads(path.read_text())
    settings["environments"][ENV]["identity"] = {"namespace_uid": "of-another-one"}
    path.write_text(json.dumps(settings))
    said = toys.run("freeze --reason x", exit=7)
    assert "another cluster or namespace than the one that was recorded" in said
    toys.write()
    toys.kubectl("delete", "rolebinding", "--all")
    said = toys.run("freeze --reason x", exit=3)
    assert 'cannot get resource "leases"' in said and "ask for the role" in said
    assert toys.get("leases")["items"] == []
