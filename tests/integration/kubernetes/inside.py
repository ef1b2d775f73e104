"""A platform whose database only the cluster reaches, operated from outside."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.node import ADDRESS
from tests.testbed.postgres import ANY, PostgresServer

ROOT = Path(__file__).parents[3]
PASSWORD = "canary-" + secrets.token_hex(8)
KEY = "database-url"
SECRET = "database-owner"


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    made = PostgresServer(folder, user="owner", password=PASSWORD, kind=ANY)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@functools.cache
def cbctl_image(cluster: Cluster) -> str:
    return cluster.images.build("cbctl:test", ROOT, ROOT / "images" / "cbctl" / "Containerfile")


class Inside(Toys):
    """name: of its database"""

    def __init__(self, folder: Path, cluster: Cluster, own: str, server: PostgresServer) -> None:
        super().__init__(folder, cluster, own)
        self.server, self.name = server, f"d{secrets.token_hex(4)}"
        server.execute("postgres", f"create database {self.name}")
        port = cluster.node.port_out(server.port)
        url = f"postgresql://owner:{PASSWORD}@{ADDRESS}:{port}/{self.name}?sslmode=disable"
        self.secret(SECRET, {KEY: url})
        self.database = {
            "on": "external",
            "access": "in-cluster",
            "url": f"${{secret:{SECRET}#{KEY}}}",
        }
        self.jobs = {"image": cbctl_image(cluster)}
        self.write()
        (folder / "migrations").mkdir()
        self.migration(1, "create table users (id int);")

    def migration(self, number: int, text: str, name: str = "users") -> None:
        (self.folder / "migrations" / f"{number:04d}_{name}.up.sql").write_text(text)
        (self.folder / "schema.json").write_text(json.dumps({"min": 0, "max": number}))


@contextmanager
def inside(cluster: Cluster, folder: Path, server: PostgresServer) -> Iterator[Inside]:
    with namespace(cluster, "inside") as own:
        yield Inside(folder, cluster, own, server)
