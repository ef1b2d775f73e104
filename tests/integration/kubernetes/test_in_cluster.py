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
    file = ROOT / "tests" / "testbed" / "kubenode" / "cbctl" / "Containerfile"
    return cluster.images.build("cbctl:test", ROOT, file)


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
