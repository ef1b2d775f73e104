"""The figures that the platform's operation stands on, as the base of the manifests has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests" / "base"


def document(file: str, kind: str, name: str = "") -> Any:
    for one in yaml.safe_load_all((BASE / file).read_text()):
        if one["kind"] == kind and name in ("", one["metadata"]["name"]):
            return one
    raise AssertionError(f"{file} has no {kind} {name}")


@pytest.fixture(scope="module")
def deployment() -> Any:
    return document("deployment.yaml", "Deployment")["spec"]


@pytest.fixture(scope="module")
def container(deployment: Any) -> Any:
    (only,) = deployment["template"]["spec"]["containers"]
    return only


def test_a_rollout_adds_one_pod_and_takes_none_away(deployment: Any) -> None:
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


def test_the_autoscaler_alone_owns_the_number_of_pods(deployment: Any) -> None:
    assert "replicas" not in deployment
    scaler = document("autoscaler.yaml", "HorizontalPodAutoscaler")["spec"]
    assert scaler["minReplicas"] == 3
    assert scaler["scaleTargetRef"]["name"] == "crypto-bet-api"


def test_room_and_port(container: Any) -> None:
    assert container["name"] == "api"
    assert container["resources"] == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    assert container["ports"] == [{"name": "http", "containerPort": 3000}]
    (port,) = document("service.yaml", "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")


def test_probes(container: Any) -> None:
    live, ready = container["livenessProbe"], container["readinessProbe"]
    assert live["httpGet"]["path"] == "/health"
    assert (live["initialDelaySeconds"], live["periodSeconds"]) == (30, 10)
    assert ready["httpGet"]["path"] == "/ready"
    assert (ready["initialDelaySeconds"], ready["periodSeconds"]) == (5, 5)


def test_a_pod_that_ends_has_time_to_answer_everybody(deployment: Any, container: Any) -> None:
    from cbapi.server import FINISH_SECONDS

    environment = {one["name"]: one.get("value") for one in container["env"]}
    drains = float(environment["DRAIN_SECONDS"])
    sleeps = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert drains > 0
    grace = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > sleeps + drains + FINISH_SECONDS


def test_nothing_that_a_break_in_could_use(deployment: Any, container: Any) -> None:
    pod = deployment["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_service_gets_what_the_configuration_says(container: Any) -> None:
    """`api.environment` of cbctl.yaml and the manifests name the same keys of the same Secret."""
    defaults = yaml.safe_load((ROOT / "cbctl.yaml").read_text())["defaults"]
    told = defaults["api"]["environment"]
    given = {one["name"]: one for one in container["env"]}
    assert set(told) <= set(given)
    for name, value in told.items():
        if value.startswith("${secret:"):
            source = given[name]["valueFrom"]["secretKeyRef"]
            assert f"${{secret:{source['name']}#{source['key']}}}" == value


def test_no_right_reaches_beyond_the_namespace() -> None:
    roles = list(yaml.safe_load_all((BASE / "foundation" / "roles.yaml").read_text()))
    assert {one["kind"] for one in roles} == {"Role", "RoleBinding"}
    for role in (one for one in roles if one["kind"] == "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            if "secrets" in rule["resources"]:
                assert role["metadata"]["name"] in ("crypto-bet-deployer", "crypto-bet-secrets")
                assert rule["verbs"] == ["create"] or rule["resourceNames"], rule


def test_ci_never_reads_the_urls_of_other_roles() -> None:
    """Who owns the database, or may read all of it: only operations, and Jobs in the cluster."""
    roles = list(yaml.safe_load_all((BASE / "foundation" / "roles.yaml").read_text()))
    bound = [one for one in roles if one["kind"] == "RoleBinding"]
    accounts = {
        one["roleRef"]["name"]
        for one in bound
        if any(subject["kind"] == "ServiceAccount" for subject in one["subjects"])
    }
    for role in (one for one in roles if one["metadata"]["name"] in accounts):
        for rule in role.get("rules", ()):
            assert not {"crypto-bet-database-owner"} & set(rule.get("resourceNames", ()))
