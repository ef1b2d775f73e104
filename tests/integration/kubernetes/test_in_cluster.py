"""A database that only the cluster reaches: `cbctl db` as an operator uses it outside."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.node import ADDRESS
from tests.testbed.postgres import ANY, PostgresServer
from tests.testbed.waiting import wait_for

ROOT = Path(__file__).parents[3]
PASSWORD = "canary-" + secrets.token_hex(8)
KEY = "database-url"
SECRET = "database-owner"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    made = PostgresServer(
        tmp_path_factory.mktemp("postgres"), user="owner", password=PASSWORD, kind=ANY
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> str:
    return cluster.images.build("cbctl:test", ROOT, ROOT / "images" / "cbctl" / "Containerfile")


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path, server: PostgresServer, image: str) -> Iterator[Toys]:
    with namespace(cluster, "inside") as own:
        made = Toys(tmp_path, cluster, own)
        database = f"d{secrets.token_hex(4)}"
        server.execute("postgres", f"create database {database}")
        port = cluster.node.port_out(server.port)
        url = f"postgresql://owner:{PASSWORD}@{ADDRESS}:{port}/{database}?sslmode=disable"
        made.kubectl("create", "secret", "generic", SECRET, f"--from-literal={KEY}={url}")
        made.database = {
            "on": "external",
            "access": "in-cluster",
            "url": f"${{secret:{SECRET}#{KEY}}}",
        }
        made.jobs = {"image": image}
        made.write()
        (tmp_path / "migrations").mkdir()
        (tmp_path / "migrations" / "0001_users.up.sql").write_text("create table users (id int);")
        (tmp_path / "schema.json").write_text(json.dumps({"min": 0, "max": 1}))
        yield made


def test_looked_at(toys: Toys) -> None:
    found = toys.json("db status")
    assert [(row["name"], row["state"]) for row in found["rows"]] == [("users", "due")]
    planned = toys.run("db plan", exit=7)
    assert "create table users" in planned


def test_migrated_in_the_same_run(toys: Toys) -> None:
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
def test_one_that_fails_is_told_as_from_outside(toys: Toys) -> None:
    (toys.folder / "migrations" / "0001_users.up.sql").write_text("select 1 from nowhere;")
    said = toys.run("db migrate --new-database --yes", exit=5)
    assert 'relation "nowhere" does not exist' in said
    (toys.folder / "migrations" / "0001_users.up.sql").write_text("create table users ();")
    toys.run("db migrate --new-database --yes")


@pytest.mark.nightly
def test_killed_and_resumed(toys: Toys) -> None:
    """The Job goes on alone, and a resume waits for its answer."""
    (toys.folder / "migrations" / "0001_users.up.sql").write_text(
        "select pg_sleep(6); create table users ();"
    )
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
