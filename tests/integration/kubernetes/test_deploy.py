"""`cbctl deploy` and `rollback` of an environment whose service is on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import ENV
from tests.integration.kubernetes.whole import PASSWORD, Parts, Whole, parts
from tests.testbed.kubenode.cluster import Cluster


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with parts(tmp_path_factory.mktemp("parts")) as made:
        yield made


@pytest.fixture
def whole(cluster: Cluster, beside: Parts, tmp_path: Path) -> Iterator[Whole]:
    beside.redis.send("FLUSHALL")
    with namespace(cluster, "whole") as own:
        yield Whole(tmp_path, cluster, own, beside)


def test_from_nothing_to_another_version_and_back(whole: Whole) -> None:
    image = f"--image {whole.image}"
    refused = whole.run(f"deploy {ENV} {image} --yes", exit=7)
    assert f"cbctl env record {ENV}" in refused
    assert whole.get("deployments")["items"] == []
    whole.record()
    assert "--image NAME@sha256:" in whole.run(f"deploy {ENV} --yes", exit=64)

    first = whole.json(f"deploy {ENV} {image} --yes")
    assert (first["result"], first["release"]) == ("succeeded", "r1")
    assert whole.greetings == ["hello"]
    annotations = whole.get("deployment", "app")["metadata"]["annotations"]
    assert "requests are not counted" in annotations["cbctl/proved-by"]
    again = whole.json(f"deploy {ENV} --plan")
    assert again["changes"] is False, again
    assert whole.json(f"deploy {ENV} --yes")["result"] == "unchanged"

    whole.greet("good evening")
    assert whole.json(f"deploy {ENV} --yes")["release"] == "r2"
    whole.overlay.app["command"] = ["no-such-program"]
    whole.overlay.write()
    failed = whole.json(f"deploy {ENV} --yes", exit=4)
    assert "no-such-program" in failed["error"]["what"]
    assert "no-such-program" in whole.run(f"why last --env {ENV}"), "the evidence is kept"
    assert (whole.greetings, whole.states()) == (["good evening"], ["healthy", "healthy"])

    assert whole.json(f"rollback {ENV} --yes")["release"] == "r3"
    assert (whole.greetings, whole.states()) == (["hello"], ["healthy", "bad", "healthy"])
    said = whole.run(f"audit list --env {ENV}") + whole.run(f"why last --env {ENV}")
    assert PASSWORD not in said


def test_another_target_is_refused_before_anything_changes(whole: Whole) -> None:
    whole.record()
    right, chain = dict(whole.identity), dict(whole.chain)
    deploy = f"deploy {ENV} --image {whole.image} --yes"

    whole.identity = right | {"namespace_uid": "00000000-0000-0000-0000-000000000000"}
    whole.write()
    assert "not 00000000-0000-0000-0000-000000000000" in whole.run(deploy, exit=7)
    whole.identity = right
    whole.chain = chain | {"genesis_hash": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"}
    whole.write()
    assert "genesis" in whole.run(deploy, exit=7)
    whole.chain = chain
    whole.write()
    whole.parts.redis.send("SET", "cbctl:marker", "toys/another")
    assert "the cache is toys/another, not toys/testing" in whole.run(deploy, exit=7)
    whole.parts.redis.send("FLUSHALL")
    name = whole.database_url.rpartition("/")[2]
    whole.parts.postgres.execute(name, "update cbctl_marker set environment = 'another'")
    assert "toys/another" in whole.run(deploy, exit=7)

    assert whole.get("deployments")["items"] == []
    assert whole.json(f"releases {ENV}") == []


@pytest.mark.nightly
def test_what_does_not_prove_itself_is_taken_back(whole: Whole) -> None:
    whole.record()
    whole.json(f"deploy {ENV} --image {whole.image} --yes")
    whole.kubernetes["soak"] = {"seconds": 120, "metrics": None}
    whole.write()
    whole.overlay.app["env"] = [{"name": "LIVE_SECONDS", "value": "6"}]
    live = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}
    whole.overlay.app["livenessProbe"] = live
    whole.greet("good night")
    failed = whole.json(f"deploy {ENV} --yes", exit=4)
    assert "restarted" in failed["error"]["what"]
    assert (whole.greetings, whole.states()) == (["hello"], ["healthy", "bad"])
