"""`cbctl secrets` on the real cluster: as operations, as CI, and with an operator of secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.identity import ACCOUNT
from tests.integration.kubernetes.operator_of_secrets import Operator
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import ENV, Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.waiting import wait_for

NAME = "crypto-bet-secrets"
"""Which CI may read."""
OWNER = "crypto-bet-database-owner"
"""Which it may not."""
VALUE = "canary-that-nobody-may-see"
KINDS = Path(__file__).parent / "kinds.yaml"


@pytest.fixture(scope="module")
def kinds(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", str(KINDS))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path, kinds: None) -> Iterator[Toys]:
    with namespace(cluster, "secrets") as own:
        made = Toys(tmp_path, cluster, own)
        made.secrets = {NAME: {"jwt-secret": "${env:JWT_SECRET}"}}
        made.write()
        variables(made, JWT_SECRET=VALUE)
        yield made


def variables(toys: Toys, **values: str) -> None:
    file = toys.folder / f".env.{ENV}"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def operations(toys: Toys) -> None:
    """From here on with the rights of operations."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operations-of-a-test", "namespace": toys.own},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "crypto-bet-secrets",
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT}],
    }
    toys.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(binding))


def external(toys: Toys, *keys: str, interval: str = "1h") -> None:
    asked = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "shop", "namespace": toys.own},
        "spec": {
            "refreshInterval": interval,
            "target": {"name": NAME, "creationPolicy": "Owner"},
            "data": [{"secretKey": key, "remoteRef": {"key": "shop"}} for key in keys],
        },
    }
    toys.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(asked))


def rows(toys: Toys, exit: int) -> dict[str, Any]:
    found = toys.json("secrets status", exit=exit)["secrets"]
    return {f"{row['secret']}#{row['key']}": row for row in found}


def value(toys: Toys) -> str:
    return base64.b64decode(toys.get("secret", NAME)["data"]["jwt-secret"]).decode()


def test_written_seen_and_used(toys: Toys) -> None:
    """Missing, written, in the pods, changed, rolled out."""
    assert rows(toys, 10)[f"{NAME}#jwt-secret"]["wrong"] == "there is no such Secret"
    assert "forbidden" in toys.run("secrets write --yes", exit=3), "CI writes no Secrets"
    operations(toys)
    assert "the value of ${env:JWT_SECRET}" in toys.run("secrets write --plan", exit=2)
    toys.run("secrets write --yes")
    assert value(toys) == VALUE
    assert toys.json("secrets write --yes")["result"] == "unchanged"
    row = rows(toys, 0)[f"{NAME}#jwt-secret"]
    assert (row["state"], row["owner"], row["wrong"]) == ("present", "cbctl", "")

    source = {"secretKeyRef": {"name": NAME, "key": "jwt-secret"}}
    toys.overlay.app["env"] = [{"name": "JWT_SECRET", "valueFrom": source}]
    toys.overlay.write()
    toys.rollout()
    assert toys.json("secrets status")["pods"] == "current"
    assert "app: JWT_SECRET" in rows(toys, 0)[f"{NAME}#jwt-secret"]["needed"]
    variables(toys, JWT_SECRET=f"{VALUE}-2")
    toys.run("secrets write --yes")
    assert toys.json("secrets status", exit=10)["pods"] == "old"
    toys.run("api restart --yes")
    assert toys.json("secrets status")["pods"] == "current"

    toys.secrets = {NAME: {"jwt-secret": "${env:JWT_SECRET}", "more": "${env:JWT_SECRET}"}}
    toys.write()
    toys.run("secrets write --yes")
    toys.secrets = {NAME: {"jwt-secret": "${env:JWT_SECRET}"}}
    toys.write()
    assert f"{NAME}#more" in toys.run("secrets write --plan", exit=2), "what is removed is shown"
    toys.run("secrets write --yes")
    assert list(toys.get("secret", NAME)["data"]) == ["jwt-secret"]

    said = toys.run("secrets status", exit=10) + toys.run("audit list") + toys.run("why last")
    said += json.dumps(toys.get("configmaps"))
    said += "".join(path.read_text() for path in toys.folder.rglob("*.ndjson"))
    assert VALUE not in said
    assert base64.b64encode(VALUE.encode()).decode() not in said


@pytest.mark.nightly
def test_what_is_wrong_is_said(toys: Toys) -> None:
    toys.kubectl("create", "secret", "generic", NAME, "--from-literal=other=x")
    assert rows(toys, 10)[f"{NAME}#jwt-secret"]["wrong"] == "the Secret has no such key"
    toys.kubectl("delete", "secret", NAME)
    toys.kubectl("create", "secret", "generic", NAME, "--from-literal=jwt-secret=")
    row = rows(toys, 10)[f"{NAME}#jwt-secret"]
    assert (row["state"], row["wrong"]) == ("empty", "there is nothing in it")
    operations(toys)
    variables(toys, JWT_SECRET="")
    assert "JWT_SECRET" in toys.run("secrets write --yes", exit=64)
    toys.secrets = {}
    toys.write()
    assert "names no Secrets" in toys.run("secrets write --yes", exit=64)


@pytest.mark.nightly
def test_what_ci_may_not_read(toys: Toys) -> None:
    toys.kubectl("create", "secret", "generic", OWNER, f"--from-literal=database-url={VALUE}")
    toys.kubectl("create", "secret", "generic", NAME, f"--from-literal=jwt-secret={VALUE}")
    toys.database = {
        "on": "external",
        "access": "in-cluster",
        "url": f"${{secret:{OWNER}#database-url}}",
    }
    toys.write()
    found = rows(toys, 3)
    assert found[f"{OWNER}#database-url"]["state"] == "unknown"
    assert found[f"{OWNER}#database-url"]["wrong"] == "we may not read it"
    assert found[f"{NAME}#jwt-secret"]["state"] == "present"


@pytest.mark.nightly
def test_an_operator_of_secrets_keeps_them(toys: Toys) -> None:
    operations(toys)
    with Operator(toys.cluster, toys.own, {"jwt-secret": "from the store"}):
        external(toys, "jwt-secret")
        toys.cluster.kubectl(
            *("wait", "externalsecret/shop", "-n", toys.own, "--for=condition=Ready"),
            "--timeout=60s",
        )
        row = rows(toys, 0)[f"{NAME}#jwt-secret"]
        assert (row["state"], row["owner"]) == ("present", "External Secrets")
        said = toys.run("secrets write --yes", exit=7)
        assert "kept by External Secrets (ExternalSecret shop)" in said
        assert value(toys) == "from the store"
        assert toys.json("secrets handover --yes")["result"] == "unchanged"
    status = {"refreshTime": "2020-01-01T00:00:00Z"}
    words = ["patch", "externalsecret", "shop", "--subresource=status", "--type=merge"]
    toys.kubectl(*words, f"--patch={json.dumps({'status': status})}")
    assert "not looked at again since 2020" in rows(toys, 10)[f"{NAME}#jwt-secret"]["wrong"]


def test_handed_over(toys: Toys) -> None:
    operations(toys)
    toys.run("secrets write --yes")
    assert "no ExternalSecret brings" in toys.run("secrets handover --yes", exit=7)
    external(toys, "another-key")
    assert f"lacks jwt-secret of {NAME}" in toys.run("secrets handover --yes", exit=7)
    with Operator(toys.cluster, toys.own, {"jwt-secret": "from the store"}):
        external(toys, "jwt-secret")
        uid = toys.get("secret", NAME)["metadata"]["uid"]
        assert "External Secrets" in toys.run("secrets handover --plan", exit=2)
        toys.run("secrets handover --yes")
        there = toys.get("secret", NAME)
        assert there["metadata"]["uid"] == uid, "it was never gone"
        assert there["metadata"]["ownerReferences"][0]["name"] == "shop"
        assert value(toys) == "from the store"
        assert toys.json("secrets handover --yes")["result"] == "unchanged"
        assert rows(toys, 0)[f"{NAME}#jwt-secret"]["owner"] == "External Secrets"
        toys.run("secrets write --yes", exit=7)


@pytest.mark.nightly
def test_taken_without_being_asked(toys: Toys) -> None:
    operations(toys)
    toys.run("secrets write --yes")
    with Operator(toys.cluster, toys.own, {"jwt-secret": "from the store"}, takes=True):
        external(toys, "jwt-secret")
        wait_for(lambda: value(toys) == "from the store", 30, "the operator")
        assert toys.json("secrets handover --yes")["result"] == "unchanged"
        assert rows(toys, 0)[f"{NAME}#jwt-secret"]["owner"] == "External Secrets"
