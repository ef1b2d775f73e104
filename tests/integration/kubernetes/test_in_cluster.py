"""A database that only the cluster reaches: `cbctl db` as an operator uses it outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.inside import PASSWORD, Inside, inside, postgres
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.postgres import PostgresServer
from tests.testbed.waiting import wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path, server: PostgresServer) -> Iterator[Inside]:
    with inside(cluster, tmp_path, server) as made:
        yield made


def test_looked_at(toys: Inside) -> None:
    found = toys.json("db status")
    assert [(row["name"], row["state"]) for row in found["rows"]] == [("users", "due")]
    planned = toys.run("db plan", exit=7)
    assert "create table users" in planned


def test_migrated_in_the_same_run(toys: Inside) -> None:
    told = toys.json("db migrate --new-database --yes")
    assert told["outcome"]["applied"] == ["0001_users"]
    assert [row["state"] for row in toys.json("db status")["rows"]] == ["applied"]
    assert toys.json("db migrate --yes")["result"] == "unchanged"
    assert toys.get("jobs")["items"] == [], "none is left"
    assert toys.get("configmaps", "-l", "app.kubernetes.io/name=cbctl")["items"] == []
    said = toys.run("audit list") + toys.run("why last")
    assert "0001_users" in said
    assert PASSWORD not in said + json.dumps(toys.get("configmaps"))


@pytest.mark.nightly
def test_compared_with_what_the_migrations_build(toys: Inside) -> None:
    """On a server of the pod's own."""
    toys.json("db migrate --new-database --yes")
    assert "the schema is what the migrations build up to 0001" in toys.run("db verify")
    toys.server.execute(toys.name, "alter table users add name text")
    assert "name" in toys.run("db verify", exit=10)
    toys.migration(2, "create index users_id on users (id)", "index")
    assert "users_id" in toys.run("db trace")


@pytest.mark.nightly
def test_one_that_fails_is_told_as_from_outside(toys: Inside) -> None:
    toys.migration(1, "select 1 from nowhere;")
    said = toys.run("db migrate --new-database --yes", exit=5)
    assert 'relation "nowhere" does not exist' in said
    toys.migration(1, "create table users ();")
    toys.run("db migrate --new-database --yes")


@pytest.mark.nightly
def test_killed_and_resumed(toys: Inside) -> None:
    """The Job goes on alone, and a resume waits for its answer."""
    toys.migration(1, "select pg_sleep(6); create table users ();")
    going = toys.started("db migrate --new-database --yes --events ndjson")
    assert going.stdout is not None
    for line in going.stdout:
        if "step.started" in line:
            break
    wait_for(
        lambda: any(j["status"].get("ready") for j in toys.get("jobs")["items"]), 60, "the Job"
    )
    going.kill()
    going.stdout.close()
    going.wait()
    (name,) = [one["metadata"]["name"] for one in toys.get("jobs")["items"]]
    ended = toys.json("resume --yes")
    assert ended["result"] in ("succeeded", "unchanged"), ended
    assert name not in json.dumps(toys.get("jobs"))
    assert [row["state"] for row in toys.json("db status")["rows"]] == ["applied"]
