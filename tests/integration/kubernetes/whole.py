"""An environment with all its parts: the service on the node, and on this machine a localnet with
the real program's file, Postgres and Redis, reached directly."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from tests.integration.kubernetes.toys import ENV, Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.localnet import Localnet
from tests.testbed.postgres import ANY, PostgresServer
from tests.testbed.redis import RedisServer
from tests.testbed.waiting import free_port

ROOT = Path(__file__).parents[3]
ARTIFACTS = ROOT / "programs/crypto_bet/artifacts"
PASSWORD = "canary-" + secrets.token_hex(8)


class Parts:
    def __init__(self, folder: Path) -> None:
        for name in ("postgres", "redis", "localnet"):
            (folder / name).mkdir()
        self.postgres = PostgresServer(
            folder / "postgres", user="owner", password=PASSWORD, kind=ANY
        )
        self.redis = RedisServer(folder / "redis", password=PASSWORD)
        self.postgres.start()
        self.redis.start()
        self.localnet = Localnet(folder / "localnet", free_port(1), 400)

    def stop(self) -> None:
        self.localnet.stop()
        self.redis.stop()
        self.postgres.stop()


@contextmanager
def parts(folder: Path) -> Iterator[Parts]:
    made = Parts(folder)
    try:
        yield made
    finally:
        made.stop()


class Whole(Toys):
    """identity, chain: of cbctl.yaml. soak: seconds"""

    def __init__(self, folder: Path, cluster: Cluster, own: str, parts: Parts) -> None:
        self.parts = parts
        self.identity: dict[str, Any] = {}
        self.chain = {
            "on": "external",
            "cluster": "testnet",
            "rpc": [parts.localnet.url],
            "genesis_hash": parts.localnet.call("getGenesisHash"),
        }
        database = f"d{secrets.token_hex(4)}"
        parts.postgres.execute("postgres", f"create database {database}")
        _key(folder / "wallet.json", parts.localnet.funded())
        _key(folder / "program.json", Keypair())
        super().__init__(folder, cluster, own)
        (folder / "toys").mkdir()
        self.database_url = parts.postgres.url(database)
        self.kubernetes["soak"] = {"seconds": 2, "metrics": None}
        self.write()

    def write(self) -> None:
        super().write()
        if not hasattr(self, "database_url"):  # the values are still to come
            return
        content = json.loads((self.folder / "cbctl.yaml").read_text())
        env = content["environments"][ENV]
        env["chain"], env["identity"] = self.chain, self.identity
        env["program"] = {
            "name": "crypto_bet",
            "elf": str(ARTIFACTS / "crypto_bet.so"),
            "idl": str(ARTIFACTS / "crypto_bet.idl.json"),
            "keypair": "${file:program.json}",
            "wallet": "${file:wallet.json}",
        }
        env["migrations"] = {
            "folder": str(ROOT / "src/cbapi/migrations"),
            "schema": str(ROOT / "src/cbapi/schema.json"),
        }
        env["database"] = {"on": "external", "url": "${env:OWNER_URL}"}
        env["cache"] = {"on": "external", "url": "${env:CACHE_URL}"}
        (self.folder / "cbctl.yaml").write_text(json.dumps(content))
        variables = self.folder / f".env.{ENV}"
        variables.touch(mode=0o600)
        variables.write_text(f"OWNER_URL={self.database_url}\nCACHE_URL={self.parts.redis.url}\n")

    def record(self) -> None:
        """`cbctl env record`, and what it prints written down."""
        told = self.json(f"env record {ENV} --yes")["outcome"]
        self.identity = {"namespace_uid": told["namespace_uid"]}
        self.write()

    def greet(self, greeting: str) -> None:
        self.overlay.settings["greeting"] = greeting
        self.overlay.write()

    def states(self) -> list[str]:
        return [one["state"] for one in self.json(f"releases {ENV}")]

    @property
    def greetings(self) -> list[str]:
        """Of what runs, the settings of its pods."""
        template = self.get("deployment", "app")["spec"]["template"]["spec"]
        name = template["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        return [self.get("configmap", name)["data"]["greeting"]]


def _key(path: Path, key: Keypair) -> None:
    path.touch(mode=0o600)
    path.write_text(str(key.to_json()))
