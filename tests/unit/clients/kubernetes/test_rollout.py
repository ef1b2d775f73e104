"""The verdict on a rollout, from objects as a cluster shows them one after another."""

from __future__ import annotations

import copy
from typing import Any

from cbctl.clients.kubernetes.rollout import Done, Doomed, Going, Rollout
from cbctl.clients.kubernetes.watch import Changed, Collection, Listed

Object = dict[str, Any]
DEPLOYMENT = Collection("apps/v1", "Deployment")
REPLICA_SET = Collection("apps/v1", "ReplicaSet")
POD = Collection("v1", "Pod")
REVISION = {"deployment.kubernetes.io/revision": "2"}


def deployment(**status: Any) -> Object:
    return {
        "metadata": {"name": "app", "uid": "d", "generation": 2, "annotations": REVISION},
        "spec": {"replicas": 1, "template": {"spec": {"containers": []}}},
        "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1} | status,
    }


def replica_set(uid: str, revision: str) -> Object:
    annotations = {"deployment.kubernetes.io/revision": revision}
    owners = [{"uid": "d"}]
    metadata = {"name": uid, "uid": uid, "annotations": annotations, "ownerReferences": owners}
    return {"metadata": metadata}


def pod(owner: str, restarts: int, **state: Any) -> Object:
    container = {"name": "app", "restartCount": restarts, "ready": False, "state": state}
    metadata = {"name": f"{owner}-pod", "uid": "p", "ownerReferences": [{"uid": owner}]}
    return {"metadata": metadata, "status": {"containerStatuses": [container]}}


def judge(*pods: Object, **status: Any) -> Rollout:
    made = Rollout(deployment())
    made.see(Listed(DEPLOYMENT, (deployment(**status),)))
    made.see(Listed(REPLICA_SET, (replica_set("old", "1"), replica_set("new", "2"))))
    made.see(Listed(POD, pods))
    return made


def test_what_was_true_before_the_change_is_no_success() -> None:
    before = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    assert isinstance(judge(**before, observedGeneration=1).verdict(0), Going)
    assert judge(**before).verdict(0) == Done(2, 1)


def test_only_the_new_pods_count() -> None:
    crashed = {"terminated": {"exitCode": 3, "reason": "Error"}}
    assert isinstance(judge(pod("old", 9, **crashed)).verdict(0), Going)
    verdict = judge(pod("new", 9, **crashed)).verdict(0)
    assert isinstance(verdict, Doomed)
    assert (verdict.cause.reason, verdict.cause.pod) == ("crash", "new-pod")


def test_one_crash_is_waited_out() -> None:
    crashed = {"terminated": {"exitCode": 3, "reason": "Error"}}
    assert isinstance(judge(pod("new", 1, **crashed)).verdict(0), Going)


def test_a_registry_that_fails_gets_time_and_a_missing_image_does_not() -> None:
    def pulling(message: str) -> Rollout:
        waiting = {"reason": "ErrImagePull", "message": message}
        return judge(pod("new", 0, waiting=waiting))

    slow = pulling("dial tcp: i/o timeout")
    assert isinstance(slow.verdict(0), Going)
    assert slow.wakes(10) == 50
    assert isinstance(slow.verdict(59), Going)
    assert isinstance(slow.verdict(60), Doomed)
    assert isinstance(pulling("manifest unknown: not found").verdict(0), Doomed)


def test_patience_starts_anew_when_the_trouble_was_over_meanwhile() -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "keys" not found'}
    seen = judge(pod("new", 0, waiting=waiting))
    assert isinstance(seen.verdict(0), Going)
    seen.see(Changed(POD, "MODIFIED", pod("new", 0, running={})))
    assert isinstance(seen.verdict(1), Going)
    seen.see(Changed(POD, "MODIFIED", pod("new", 0, waiting=waiting)))
    assert isinstance(seen.verdict(2.5), Going)
    assert isinstance(seen.verdict(4.5), Doomed)


def test_who_changed_it_in_the_same_second_is_named() -> None:
    other = copy.deepcopy(deployment())
    other["spec"]["template"]["spec"]["containers"].append({"name": "more"})
    time = "2026-01-01T00:00:00Z"
    writers = [{"manager": "cbctl", "time": time}, {"manager": "kubectl-set", "time": time}]
    other["metadata"]["managedFields"] = writers
    seen = judge()
    seen.see(Changed(DEPLOYMENT, "MODIFIED", other))
    verdict = seen.verdict(0)
    assert isinstance(verdict, Doomed)
    assert "kubectl-set" in verdict.cause.sentence


def test_a_deployment_that_is_gone_is_no_longer_waited_for() -> None:
    seen = judge()
    seen.see(Changed(DEPLOYMENT, "DELETED", deployment()))
    verdict = seen.verdict(0)
    assert isinstance(verdict, Doomed)
    assert verdict.cause.reason == "deleted"
