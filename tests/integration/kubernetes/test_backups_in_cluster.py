"""Backups of a database that only the cluster reaches: made, restored and removed by Jobs there,
kept in a bucket that this machine reaches too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.inside import PASSWORD, Inside, inside, postgres
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.node import ADDRESS
from tests.testbed.postgres import PostgresServer
from tests.testbed.s3 import s3_client, s3_server

KEYS = "bucket-keys"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def house(
    cluster: Cluster, tmp_path: Path, server: PostgresServer, s3: dict[str, str]
) -> Iterator[Inside]:
    with inside(cluster, tmp_path, server) as made:
        furnish(made, s3)
        yield made


def furnish(house: Inside, s3: dict[str, str]) -> None:
    """A database with something in it, and a bucket for its backups."""
    bucket = house.own
    s3_client(s3).create_bucket(Bucket=bucket)
    port = house.cluster.node.port_out(int(s3["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    house.secret(KEYS, {**s3, "AWS_ENDPOINT_URL": f"http://{ADDRESS}:{port}"})
    house.variables = s3
    house.database["backups"] = {"to": f"s3://{bucket}/kept"}
    house.jobs["variables_from"] = KEYS
    house.write()
    house.migration(1, "create table users (id int); insert into users values (1), (2);")
    house.json("db migrate --new-database --yes")


def users(house: Inside, name: str = "") -> list[Any]:
    with house.server.connect(name or house.name) as connection:
        return [row[0] for row in connection.execute("select id from users order by id")]


def listed(house: Inside) -> list[Any]:
    found: list[Any] = house.json("db backups")
    return found


def nothing_left(house: Inside) -> None:
    assert house.get("jobs")["items"] == []
    assert house.get("configmaps", "-l", "app.kubernetes.io/name=cbctl")["items"] == []


def test_made_proved_restored_and_taken_back(house: Inside) -> None:
    made = house.json("db backup --yes")["outcome"]
    assert (made["tables"], made["rows"]) == (3, made["rows"])
    (row,) = listed(house)
    assert row["backup"] == made["backup"] and not row["verified"]
    house.run("db verify-backup")
    assert listed(house)[0]["verified"]
    house.server.execute(house.name, "delete from users")
    refused = house.run("db restore --yes", exit=7)
    assert f"--replace {house.name}" in refused
    house.json(f"db restore --replace {house.name} --yes")
    assert users(house) == [1, 2]
    nothing_left(house)
    said = house.run("audit list") + house.run("why last")
    assert PASSWORD not in said + json.dumps(house.get("configmaps"))
