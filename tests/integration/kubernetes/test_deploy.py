"""`cbctl deploy` and `rollback` of an environment on the cluster, as an operator or CI does it."""

from __future__ import annotations

import json

import pytest
from tests.integration.kubernetes.shop import PASSWORD, Shop
from tests.integration.kubernetes.toys import ENV
from tests.testbed.s3 import s3_server


def test_from_nothing_wrong_and_back(shop: Shop) -> None:
    """Recorded, deployed, deployed again, another version, a bad one, and the way back."""
    assert "cbctl env record" in shop.run(f"deploy --image {shop.image} --yes", exit=7)
    assert shop.get("deployments")["items"] == [], "refused before anything was changed"
    shop.record()
    first = shop.deploy()
    assert first["release"]
    (release,) = shop.releases()
    assert (release["id"], release["state"]) == (first["release"], "healthy")
    with shop.parts.postgres.connect(shop.name) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (0,)
    again = shop.deploy()
    assert again["result"] == "unchanged"

    shop.overlay.settings["greeting"] = "good evening"
    shop.overlay.write()
    shop.migration(2, "create table bets (id bigint);")
    shop.backups = {"to": "backups"}
    shop.whole()
    assert "last proved backup" in shop.run(f"deploy --image {shop.image} --plan", exit=2)
    second = shop.deploy()
    assert second["release"] != first["release"]
    (backup,) = shop.json("db backups")
    assert backup["verified"] and backup["schema"] == 1, "before the migration"

    shop.overlay.app["command"] = ["no-such-program"]
    shop.overlay.write()
    failed = shop.process(f"deploy --image {shop.image} --yes")
    assert failed.returncode == 4, failed.stderr
    assert "no-such-program" in failed.stderr
    assert shop.get("deployment", "app")["status"]["availableReplicas"] == 1
    assert [one["id"] for one in shop.releases()] == [first["release"], second["release"]]

    told = shop.json("rollback --yes")
    assert told["exit"] == 0
    maps = shop.get("configmaps", "-l", f"cbctl/owner=toys.{ENV}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]
    states = {one["id"]: one["state"] for one in shop.releases()}
    assert states[second["release"]] == "bad"
    parts = {one["name"]: one["state"] for one in shop.json("status")["parts"]}
    running = dict.fromkeys(("postgres", "redis", "chain", "api"), "running")
    assert parts == running | {"program": "deployed"}
    assert shop.json("health")["healthy"] is True
    shop.parts.redis.stop()
    told = shop.json("health", exit=10)
    wrong = [one["name"] for one in told["parts"] if one["state"] != "healthy"]
    assert wrong == ["redis"], told
    shop.parts.redis.start()
    everything = shop.run("status") + shop.run("audit list") + json.dumps(shop.get("configmaps"))
    assert PASSWORD not in everything


@pytest.mark.nightly
def test_another_database_or_cache_is_refused_before_any_change(shop: Shop) -> None:
    shop.record()
    text = shop.run("env record --yes")
    assert shop.identity["namespace_uid"] in text, "what is there already is printed again"
    redis, postgres = shop.parts.redis, shop.parts.postgres
    redis.send("SET", "cbctl:marker", "toys/another")
    said = shop.run(f"deploy --image {shop.image} --yes", exit=7)
    assert f"the cache is toys/another, not toys/{ENV}" in said
    redis.send("FLUSHALL")
    plan = shop.run(f"deploy --image {shop.image} --plan", exit=2)
    assert "marker in the cache" in plan, "an empty one has lost it, and gets it again"
    postgres.execute(shop.name, "update cbctl_marker set environment = 'another'")
    assert "toys/another" in shop.run(f"deploy --image {shop.image} --yes", exit=7)
    postgres.execute(shop.name, "drop table cbctl_marker")
    assert "cbctl env record" in shop.run(f"deploy --image {shop.image} --yes", exit=7)
    assert shop.get("deployments")["items"] == []
    assert shop.releases() == []


@pytest.mark.nightly
def test_what_does_not_prove_itself_is_taken_back(shop: Shop) -> None:
    shop.record()
    shop.deploy()
    note = shop.get("deployment", "app")["metadata"]["annotations"]["cbctl/proved-by"]
    assert "requests are not counted" in note
    shop.soak["seconds"] = 120
    shop.whole()
    shop.overlay.app["env"] = [{"name": "LIVE_SECONDS", "value": "6"}]
    live = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}
    shop.overlay.app["livenessProbe"] = live
    shop.overlay.settings["greeting"] = "good night"
    shop.overlay.write()
    failed = shop.deploy(exit=4)
    assert "restarted" in failed["error"]["what"]
    assert [one["state"] for one in shop.releases()] == ["healthy", "bad"]
    template = shop.get("deployment", "app")["spec"]["template"]["spec"]
    assert "livenessProbe" not in template["containers"][0]


@pytest.mark.nightly
def test_errors_of_a_release_that_pods_count_themselves(shop: Shop) -> None:
    """Without requests that is said; with errors the release is bad, and what was there is back."""
    shop.record()
    shop.soak["metrics"] = "/metrics"
    shop.whole()
    shop.deploy()
    note = shop.get("deployment", "app")["metadata"]["annotations"]["cbctl/proved-by"]
    assert "no request came" in note
    shop.soak["seconds"] = 120
    shop.whole()
    shop.overlay.app["env"] = [{"name": "FAILS", "value": "yes"}]
    shop.overlay.write()
    going = shop.started(f"deploy --image {shop.image} --yes --events ndjson")
    assert going.stdout is not None
    asked = 0
    for line in going.stdout:
        event = json.loads(line)
        if event["type"] == "step.progress" and event["data"]["step"] == "soak" and asked < 120:
            for _ in range(40):  # some for each look, so that all of them are counted
                shop.cluster.try_kubectl("get", "--raw", service(shop))
                asked += 1
    going.stdout.close()
    assert going.wait() == 4
    assert event["data"]["error"]["what"].endswith("were answered with an error, more than 1 %")
    assert [one["state"] for one in shop.releases()] == ["healthy", "bad"]


def service(shop: Shop) -> str:
    return f"/api/v1/namespaces/{shop.own}/services/app:80/proxy/"


@pytest.mark.nightly
@pytest.mark.parametrize("wrong", ["chain", "namespace"])
def test_another_target_is_refused_before_any_change(shop: Shop, wrong: str) -> None:
    shop.record()
    match wrong:
        case "chain":
            shop.genesis = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"
        case "namespace":
            shop.identity["namespace_uid"] = "11111111-2222-3333-4444-555555555555"
    shop.whole()
    said = shop.run(f"deploy --image {shop.image} --yes", exit=7)
    assert "not the target that was recorded" in said or "another cluster" in said
    assert shop.get("deployments")["items"] == []


@pytest.mark.nightly
def test_another_account_is_refused_before_any_change(shop: Shop) -> None:
    shop.record()
    with s3_server() as variables:
        shop.variables |= variables
        shop.identity["account_id"] = "999999999999"
        shop.whole()
        said = shop.run(f"deploy --image {shop.image} --yes", exit=7)
        assert "account is 123456789012, not 999999999999" in said
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del shop.variables[name]
        said = shop.run(f"deploy --image {shop.image} --yes", exit=7)
        assert "who the target is cannot be read: AWS account" in said
        assert shop.get("deployments")["items"] == []
        shop.variables |= variables
        shop.identity["account_id"] = "123456789012"
        shop.whole()
        shop.deploy()
        shop.greets("another")
        shop.deploy()
        told = shop.process("rollback --emergency --confirm testing")
        assert "account 123456789012" in told.stderr.splitlines()[0]


@pytest.mark.nightly
def test_the_database_goes_back_too(shop: Shop) -> None:
    shop.record()
    shop.deploy()
    shop.overlay.settings["greeting"] = "good evening"
    shop.overlay.write()
    sql = "alter table users drop column id;"
    shop.migration(2, sql, phase="post", down="alter table users add column id bigint;")
    shop.deploy()
    shop.run("db migrate --phase post --yes")
    asked = shop.process("rollback --with-database --yes")
    assert asked.returncode == 64, asked.stderr
    assert "--database" in asked.stderr
    told = shop.run(f"rollback --with-database --database {shop.name} --yes")
    assert "runs 0002_step.down.sql" in told
    with shop.parts.postgres.connect(shop.name) as connection:
        assert connection.execute("select count(id) from users").fetchone() == (0,)


@pytest.mark.nightly
def test_killed_in_the_middle_and_resumed_elsewhere(shop: Shop) -> None:
    """From a machine with no state of its own: all that counts is in the cluster."""
    shop.record()
    shop.overlay.app["env"] = [{"name": "START_SECONDS", "value": "6"}]
    shop.overlay.write()
    going = shop.started(f"deploy --image {shop.image} --yes --events ndjson")
    assert going.stdout is not None
    for line in going.stdout:
        if "step.started" in line and "rollout" in line:
            break
    going.kill()
    going.stdout.close()
    going.wait()
    shop.variables["CBCTL_STATE_DIR"] = str(shop.folder / "another-machine")
    ended = shop.json("resume --yes")
    assert ended["result"] == "succeeded", ended
    (release,) = shop.releases()
    assert release["state"] == "healthy"
    assert shop.deploy()["result"] == "unchanged"


@pytest.mark.nightly
def test_in_an_emergency(shop: Shop) -> None:
    """A bad release passed every check; afterwards deploys are held back until somebody says so."""
    shop.record()
    first = shop.deploy()["release"]
    shop.overlay.settings["greeting"] = "a bad one"
    shop.overlay.write()
    second = shop.deploy()["release"]
    surge = shop.get("deployment", "app")["spec"]["strategy"]
    by_hand = shop.run("rollback --print")
    assert first in by_hand and "kubectl" in by_hand
    told = shop.process("rollback --emergency --confirm testing")
    assert told.returncode == 0, told.stderr
    assert first in told.stderr.splitlines()[0]
    assert shop.get("deployment", "app")["spec"]["strategy"] == surge, "hurried only meanwhile"
    maps = shop.get("configmaps", "-l", f"cbctl/owner=toys.{ENV}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]
    assert {one["id"]: one["state"] for one in shop.releases()}[second] == "bad"
    assert "frozen" in shop.run(f"deploy --image {shop.image} --yes", exit=7)
    shop.run("unfreeze --reason tested")
