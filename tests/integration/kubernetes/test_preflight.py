"""What would stop a deploy half-way is refused before it begins, and says what to do."""

from __future__ import annotations

import json

import pytest
from tests.integration.kubernetes.identity import ACCOUNT
from tests.integration.kubernetes.shop import Shop

SECRET = "crypto-bet-secrets"  # which the role of who deploys may read


@pytest.mark.nightly
def test_a_secret_or_a_key_of_it_or_a_right_is_missing(shop: Shop) -> None:
    shop.record()
    source = {"secretKeyRef": {"name": SECRET, "key": "jwt-secret"}}
    shop.overlay.app["env"] = [{"name": "JWT_SECRET", "valueFrom": source}]
    shop.overlay.write()
    deploy = f"deploy --image {shop.image} --yes"
    said = shop.run(deploy, exit=7)
    assert f"the pods need what is not there: Secret {SECRET}" in said
    assert "cbctl secrets write" in said

    shop.kubectl("create", "secret", "generic", SECRET, "--from-literal=redis-url=x")
    assert f"Secret {SECRET}: jwt-secret" in shop.run(deploy, exit=7)
    shop.kubectl("delete", "secret", SECRET)
    shop.kubectl("create", "secret", "generic", SECRET, "--from-literal=jwt-secret=")
    assert f"Secret {SECRET}: jwt-secret" in shop.run(deploy, exit=7), "nothing is in it"

    rules = shop.get("role", ACCOUNT)["rules"]
    (number,) = (i for i, rule in enumerate(rules) if rule["resources"] == ["pods/proxy"])
    without = json.dumps([{"op": "remove", "path": f"/rules/{number}"}])
    shop.kubectl("patch", "role", ACCOUNT, "--type=json", "-p", without)
    said = shop.run(deploy, exit=7)
    assert f"in {shop.own} we may not: get pods/proxy" in said
    assert "docs/reference/deploy.md" in said
    shop.kubectl("delete", "rolebinding", ACCOUNT)
    said = shop.run(deploy, exit=3)
    assert "we may not: create services" in said, "all are named at once"
    assert shop.get("deployments")["items"] == []
    assert shop.releases() == []
