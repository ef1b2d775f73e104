"""The steps on a Deployment, run as the engine runs them, and kubectl's word on what they did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.identity import ci_kubeconfig
from tests.integration.kubernetes.overlay import Overlay
from tests.integration.kubernetes.support import app_image, namespace
from tests.testbed.context import FakeContext
from tests.testbed.kubenode import binary
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.engine.step import Blocked, Changes, Nothing, PlanVerdict, Verified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import restart, rollout, undo

OWNER = "toys.test"


@pytest.fixture
def own(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("PATH", str(binary.kubectl().parent), prepend=":")
    with namespace(cluster, "rollout") as name:
        yield name


@pytest.fixture
def overlay(cluster: Cluster, own: str, tmp_path: Path) -> Overlay:
    made = Overlay(tmp_path / "overlay", own)
    made.write()
    return made


def inputs(cluster: Cluster, overlay: Overlay, **more: Any) -> rollout.Inputs:
    given: dict[str, Any] = {
        "context": CONTEXT,
        "namespace": overlay.own,
        "owner": OWNER,
        "manifests": overlay.folder,
        "image": app_image(cluster),
        "seconds": 120,
    }
    return rollout.Inputs(**(given | more))


def planned(step: Any, given: Any) -> PlanVerdict:
    ctx = FakeContext()
    verdict: PlanVerdict = step.plan(given, step.observe(ctx, given).facts)
    return verdict


def carried_out(step: Any, given: Any) -> Any:
    """What a run does where there is something to change; the outcome."""
    ctx = FakeContext()
    verdict = planned(step, given)
    assert isinstance(verdict, Changes), verdict
    intent = json.loads(json.dumps(step.identify(ctx, given, verdict.changes)))
    outcome = step.apply(ctx, given, verdict.changes, intent)
    assert isinstance(step.verify(ctx, given), Verified)
    assert ctx.fenced
    return outcome


def test_from_nothing_and_again(cluster: Cluster, overlay: Overlay) -> None:
    given = inputs(cluster, overlay)
    outcome = carried_out(rollout.STEP, given)
    live = cluster.get("deployment", "app", "-n", overlay.own)
    assert live["status"]["availableReplicas"] == 1
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == given.image
    assert outcome.revision == 1
    assert isinstance(planned(rollout.STEP, given), Nothing)


@pytest.mark.nightly
def test_a_setting_rolls_the_pods_and_the_former_one_is_removed(
    cluster: Cluster, overlay: Overlay
) -> None:
    given = inputs(cluster, overlay)
    carried_out(rollout.STEP, given)
    overlay.settings["greeting"] = "good evening"
    overlay.service = False
    overlay.write()
    verdict = planned(rollout.STEP, given)
    assert isinstance(verdict, Changes)
    removed = {one.what.rpartition("-")[0] or one.what for one in verdict.changes}
    assert "remove Service app" in removed
    cluster.kubectl("create", "service", "clusterip", "other", "--tcp=80", "-n", overlay.own)
    cluster.kubectl("label", "service", "other", f"cbctl/owner={OWNER}", "-n", overlay.own)
    assert carried_out(rollout.STEP, given).revision == 2
    services = cluster.get("services", "-n", overlay.own)["items"]
    assert [one["metadata"]["name"] for one in services] == ["other"], "not applied by cbctl"
    maps = cluster.get("configmaps", "-n", overlay.own, "-l", f"cbctl/owner={OWNER}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "good evening"}]


@pytest.mark.nightly
def test_what_fails_is_named_and_taken_back(cluster: Cluster, overlay: Overlay) -> None:
    given = inputs(cluster, overlay)
    carried_out(rollout.STEP, given)
    overlay.app["env"] = [{"name": "EXIT", "value": "3"}]
    overlay.settings["greeting"] = "never seen"
    overlay.write()
    ctx = FakeContext()
    facts = rollout.STEP.observe(ctx, given).facts
    verdict = rollout.STEP.plan(given, facts)
    assert isinstance(verdict, Changes)
    intent = rollout.STEP.identify(ctx, given, verdict.changes)
    with pytest.raises(CbctlError, match="exit code 3") as failed:
        rollout.STEP.apply(ctx, given, verdict.changes, intent)
    assert failed.value.exit == Exit.FAILED
    assert "cannot go on: no luck today" in failed.value.evidence["log"]
    assert rollout.STEP.undo(ctx, given, None, json.loads(json.dumps(intent))) is None
    live = cluster.get("deployment", "app", "-n", overlay.own)
    assert "env" not in live["spec"]["template"]["spec"]["containers"][0]
    cluster.kubectl("rollout", "status", "deployment/app", "-n", overlay.own, "--timeout=10s")
    maps = cluster.get("configmaps", "-n", overlay.own, "-l", f"cbctl/owner={OWNER}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]


@pytest.mark.nightly
def test_somebody_elses_field_is_shown_and_not_forced(cluster: Cluster, overlay: Overlay) -> None:
    overlay.app["env"] = [{"name": "VERSION", "value": "ours"}]
    overlay.write()
    given = inputs(cluster, overlay)
    carried_out(rollout.STEP, given)
    cluster.kubectl("set", "env", "deployment/app", "VERSION=theirs", "-n", overlay.own)
    verdict = planned(rollout.STEP, given)
    assert isinstance(verdict, Blocked)
    assert "VERSION" in verdict.why
    assert "kubectl-set" in verdict.why
    assert "--force-conflicts" in verdict.fix


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"container": "api"}, "no container api; it has: app"),
        ({"deployment": "web"}, "no Deployment web in the manifests; they have: app"),
        ({"namespace": "elsewhere"}, "the environment's is elsewhere"),
        ({"context": "nowhere"}, "no context `nowhere`; it has: kubenode"),
        ({"manifests": Path("/no/such/folder")}, "no such folder"),
    ],
)
def test_wrong_names_are_errors_before_anything_changes(
    cluster: Cluster, overlay: Overlay, change: dict[str, Any], said: str
) -> None:
    given = replace(inputs(cluster, overlay), **change)
    with pytest.raises(CbctlError, match=said) as refused:
        planned(rollout.STEP, given)
    assert refused.value.exit == Exit.USAGE
    assert cluster.get("deployments", "-n", overlay.own)["items"] == []


def test_a_tag_is_no_image(cluster: Cluster, overlay: Overlay) -> None:
    with pytest.raises(CbctlError, match="not named by its digest") as raised:
        planned(rollout.STEP, inputs(cluster, overlay, image="127.0.0.1:5000/app:1"))
    assert raised.value.exit is Exit.USAGE


def test_manifests_that_are_no_object_are_refused_at_once(
    cluster: Cluster, overlay: Overlay
) -> None:
    twice = {"name": "TWICE", "value": "said"}
    overlay.app["env"] = [twice, twice]
    overlay.write()
    verdict = planned(rollout.STEP, inputs(cluster, overlay))
    assert isinstance(verdict, Blocked)
    assert "duplicate entries" in verdict.why


@pytest.mark.nightly
def test_a_restart_replaces_the_pods(cluster: Cluster, overlay: Overlay) -> None:
    carried_out(rollout.STEP, inputs(cluster, overlay))

    def pods() -> set[str]:
        found = cluster.get("pods", "-n", overlay.own)["items"]
        return {p["metadata"]["name"] for p in found if "deletionTimestamp" not in p["metadata"]}

    before = pods()
    given = restart.Inputs(CONTEXT, overlay.own, OWNER, seconds=120)
    assert carried_out(restart.STEP, given).revision == 2
    assert not before & pods()
    again = inputs(cluster, overlay)
    assert isinstance(planned(rollout.STEP, again), Nothing), "a restart is no difference"


def test_a_secret_in_the_manifests_is_refused(cluster: Cluster, overlay: Overlay) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "open"}}
    overlay.more["secret.yaml"] = secret | {"stringData": {"password": "seen by all"}}
    overlay.write()
    with pytest.raises(CbctlError, match="Secret open is in the manifests") as refused:
        planned(rollout.STEP, inputs(cluster, overlay))
    assert "seen by all" not in str(refused.value)


def test_another_namespace_of_the_same_name_is_refused(cluster: Cluster, overlay: Overlay) -> None:
    given = inputs(cluster, overlay, namespace_uid="6f0f9d2e-0000-0000-0000-000000000000")
    with pytest.raises(CbctlError, match="another cluster or namespace") as refused:
        planned(rollout.STEP, given)
    assert refused.value.exit == Exit.REFUSED
    uid = cluster.get("namespace", overlay.own)["metadata"]["uid"]
    assert isinstance(planned(rollout.STEP, replace(given, namespace_uid=uid)), Changes)


@pytest.mark.nightly
def test_what_was_pruned_is_there_again_when_a_later_step_fails(
    cluster: Cluster, overlay: Overlay
) -> None:
    given = inputs(cluster, overlay)
    carried_out(rollout.STEP, given)
    overlay.settings["greeting"] = "good evening"
    overlay.service = False
    overlay.write()
    ctx = FakeContext()
    verdict = planned(rollout.STEP, given)
    assert isinstance(verdict, Changes)
    intent = json.loads(json.dumps(rollout.STEP.identify(ctx, given, verdict.changes)))
    rollout.STEP.apply(ctx, given, verdict.changes, intent)
    assert cluster.get("services", "-n", overlay.own)["items"] == []
    assert rollout.STEP.undo(ctx, given, None, intent) is None
    maps = cluster.get("configmaps", "-n", overlay.own, "-l", f"cbctl/owner={OWNER}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]
    assert len(cluster.get("services", "-n", overlay.own)["items"]) == 1
    cluster.kubectl("rollout", "status", "deployment/app", "-n", overlay.own, "--timeout=10s")


@pytest.mark.nightly
def test_manifests_that_were_kept_come_back_without_kubectl(
    cluster: Cluster, overlay: Overlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = inputs(cluster, overlay)
    first = carried_out(rollout.STEP, given)
    overlay.settings["greeting"] = "good evening"
    overlay.write()
    carried_out(rollout.STEP, given)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    back = undo.Inputs(CONTEXT, overlay.own, OWNER, first.manifests, seconds=120)
    assert carried_out(undo.STEP, back).release == first.release
    maps = cluster.get("configmaps", "-n", overlay.own, "-l", f"cbctl/owner={OWNER}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]


@pytest.mark.nightly
def test_the_permission_is_lost_meanwhile(
    cluster: Cluster, overlay: Overlay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the plan, before the change: it is said, and what was there serves on."""
    monkeypatch.setenv("KUBECONFIG", str(ci_kubeconfig(cluster, overlay.own, tmp_path)))
    given = inputs(cluster, overlay)
    carried_out(rollout.STEP, given)
    overlay.app["env"] = [{"name": "VERSION", "value": "next"}]
    overlay.write()
    ctx = FakeContext()
    verdict = planned(rollout.STEP, given)
    assert isinstance(verdict, Changes)
    intent = json.loads(json.dumps(rollout.STEP.identify(ctx, given, verdict.changes)))
    bindings = ("crypto-bet-deployer", "crypto-bet-operator")
    cluster.kubectl("delete", "rolebinding", *bindings, "-n", overlay.own)
    with pytest.raises(CbctlError, match="cannot patch") as refused:
        rollout.STEP.apply(ctx, given, verdict.changes, intent)
    assert refused.value.exit == Exit.CREDENTIALS
    status = cluster.get("deployment", "app", "-n", overlay.own)["status"]
    assert (status["observedGeneration"], status["availableReplicas"]) == (1, 1)
