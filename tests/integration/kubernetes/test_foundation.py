"""What an administrator makes before the first deploy, by the commands of the reference."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.identity import ACCOUNT
from tests.testbed.kubenode import binary
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.clients.kubernetes import apply, manifests
from cbctl.clients.kubernetes.api import Api

ROOT = Path(__file__).parents[3]
KINDS = Path(__file__).parent / "kinds.yaml"
STAGING = "crypto-bet-staging"


@pytest.fixture
def own(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The name of a namespace that is not there yet: staging's, in a copy of the manifests."""
    name = f"first-{secrets.token_hex(4)}"
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    for file in (tmp_path / "manifests" / "overlays" / "staging").iterdir():
        file.write_text(file.read_text().replace(STAGING, name))
    cluster.kubectl("apply", "-f", str(KINDS))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


def as_documented(cluster: Cluster, folder: Path) -> None:
    text = (ROOT / "docs" / "reference" / "deploy.md").read_text()
    (line,) = re.findall(r"^ +(kubectl apply .*)$", text, re.MULTILINE)
    environ = {"KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{binary.kubectl().parent}:/bin"}
    subprocess.run(shlex.split(line), cwd=folder, env=environ, check=True, timeout=120)


def test_who_deploys_needs_no_more_than_the_foundation(
    cluster: Cluster, own: str, tmp_path: Path
) -> None:
    as_documented(cluster, tmp_path)
    assert cluster.get("deployments", "-n", own)["items"] == [], "that is for cbctl"
    known = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    token = cluster.kubectl("create", "token", ACCOUNT, "-n", own).strip()
    known["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    for one in known["contexts"]:
        one["context"]["user"] = ACCOUNT
    kubeconfig = tmp_path / "ci.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(json.dumps(known))
    rendered = manifests.render(tmp_path / "manifests" / "overlays" / "staging")
    api = Api.connect(CONTEXT, own, patience=60, environ={"KUBECONFIG": str(kubeconfig)})
    try:
        found = apply.differences(api, rendered)
    finally:
        api.close()
    assert [one for one in found if one.refusal] == []
    assert any(one.new and "Deployment" in one.thing for one in found)
