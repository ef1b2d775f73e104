"""Exactly the rights that CI has in an environment, by the roles that ship with the manifests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.testbed.kubenode.cluster import Cluster

BASE = Path(__file__).parents[3] / "manifests" / "base" / "foundation"
ROLES = ("accounts.yaml", "roles.yaml")
ACCOUNT = "crypto-bet-deployer"


def ci_kubeconfig(cluster: Cluster, own: str, folder: Path) -> Path:
    """Roles in the namespace, and a kubeconfig with a token of the account that deploys."""
    roles = folder / "roles"
    roles.mkdir()
    for name in ROLES:
        shutil.copy(BASE / name, roles)
    content = {"namespace": own, "resources": list(ROLES)}
    (roles / "kustomization.yaml").write_text(json.dumps(content))
    cluster.kubectl("apply", "-k", str(roles))
    token = cluster.kubectl("create", "token", ACCOUNT, "-n", own).strip()
    known = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    known["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    for one in known["contexts"]:
        one["context"]["user"] = ACCOUNT
    made = folder / "ci.kubeconfig"
    made.touch(mode=0o600)
    made.write_text(json.dumps(known))
    return made
