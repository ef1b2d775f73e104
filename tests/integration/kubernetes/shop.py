"""A whole platform whose environment is on the cluster: the real program on a localnet of its own,
real Postgres and Redis, the toy service; operated by `cbctl deploy` with exactly CI's rights."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from tests.integration.kubernetes.toys import Toys
from tests.testbed.localnet import Localnet
from tests.testbed.postgres import PostgresServer
from tests.testbed.redis import RedisServer

from cbctl.clients.solana.keypair import write

ARTIFACTS = Path(__file__).parents[3] / "programs" / "crypto_bet" / "artifacts"
PASSWORD = "canary-" + secrets.token_hex(8)


@dataclass
class Parts:
    postgres: PostgresServer
    redis: RedisServer
    localnet: Localnet


class Shop(Toys):
    """
    identity   as recorded in cbctl.yaml
    chain      what it calls its localnet
    protected  its name has to be typed
    """

    chain = "devnet"
    protected = False

    def prepare(self, parts: Parts) -> None:
        self.parts = parts
        self.wallet = parts.localnet.funded(200)
        (self.folder / "keys").mkdir()
        (self.folder / "toys").mkdir()
        (self.folder / "toys" / "main.py").write_text("")
        write(self.folder / "keys" / "wallet.json", self.wallet)
        write(self.folder / "keys" / "program.json", Keypair())
        for name, kind in (("program.so", "so"), ("program.json", "idl.json")):
            shutil.copy(ARTIFACTS / f"crypto_bet.{kind}", self.folder / name)
        (self.folder / "migrations").mkdir(exist_ok=True)
        self.migration(1, "create table users (id bigint);")
        self.name = f"d{secrets.token_hex(4)}"
        parts.postgres.execute("postgres", f"create database {self.name}")
        self.database = {"on": "external", "url": "${env:DATABASE_URL}"}
        self.identity: dict[str, str] = {}
        self.history: dict[str, str] = {}
        self.backups: dict[str, str] = {}
        self.soak: dict[str, Any] = {"seconds": 2, "metrics": None}
        self.genesis = str(parts.localnet.call("getGenesisHash"))
        self.addresses = {
            name: str(Keypair().pubkey()) for name in ("resolver", "treasury", "mint")
        }
        guardian = parts.localnet.funded(1)
        write(self.folder / "keys" / "guardian.json", guardian)
        self.addresses["guardian"] = str(guardian.pubkey())
        file = self.folder / f".env.{self.env}"
        file.touch(mode=0o600)
        file.write_text(
            f"DATABASE_URL={parts.postgres.url(self.name)}\nREDIS_URL={parts.redis.url}\n"
            f"RPC_URL=http://127.0.0.1:{parts.localnet.port}\n"
        )
        self.whole()

    def migration(self, number: int, sql: str, phase: str = "pre", down: str = "") -> None:
        folder = self.folder / "migrations"
        if down:
            (folder / f"{number:04d}_step.down.sql").write_text(down)
        header = "" if phase == "pre" else f"-- cbctl: phase={phase}\n"
        (folder / f"{number:04d}_step.up.sql").write_text(header + sql)
        (self.folder / "schema.json").write_text(json.dumps({"min": 0, "max": number}))

    def whole(self) -> None:
        """cbctl.yaml with everything."""
        self.write()
        content = json.loads((self.folder / "cbctl.yaml").read_text())
        env = content["environments"][self.env]
        env["chain"] = {
            "on": "external",
            "cluster": self.chain,
            "rpc": ["${env:RPC_URL}"],
            "genesis_hash": self.genesis,
        }
        env["program"] = {
            "name": "crypto_bet",
            "elf": "program.so",
            "idl": "program.json",
            "keypair": "${file:keys/program.json}",
            "wallet": "${file:keys/wallet.json}",
            "pause": {
                "instruction": "emergency_pause",
                "arguments": {"scope": "AllButClaims"},
                "account": "GlobalConfig",
                "result": {"pause_scope": "AllButClaims"},
                "wallet": "${file:keys/guardian.json}",
            },
            "initialize": {
                "instruction": "initialize_program",
                "account": "GlobalConfig",
                "changed_by": "update_config",
                "arguments": {
                    "config": {
                        "fee_bps": 250,
                        "min_market_duration": 3600,
                        "max_market_duration": 31536000,
                        "dispute_window": 86400,
                        "resolution_window": 604800,
                        "sweep_delay": 7776000,
                        "sol": {"min_bet": 1000000, "max_bet": 1000000000000},
                        "usdc": {"min_bet": 1000000, "max_bet": 1000000000000},
                        "resolver": self.addresses["resolver"],
                        "guardian": self.addresses["guardian"],
                        "treasury": self.addresses["treasury"],
                        "usdc_mint": self.addresses["mint"],
                    }
                },
            },
        }
        env["database"] = {**self.database, "backups": self.backups}
        env["cache"] = {"on": "external", "url": "${env:REDIS_URL}"}
        env["api"]["kubernetes"] |= {"soak": self.soak}
        env["identity"] = self.identity
        env["protected"] = self.protected
        env["history"] = self.history
        (self.folder / "cbctl.yaml").write_text(json.dumps(content))

    def greets(self, greeting: str, seconds: int = 0) -> None:
        """Another version, whose pods need so long to start."""
        self.overlay.settings["greeting"] = greeting
        self.overlay.app["env"] = [{"name": "START_SECONDS", "value": str(seconds)}]
        self.overlay.write()

    def greeting(self) -> str:
        """Of the settings that the Deployment's pods use."""
        spec = self.get("deployment", "app")["spec"]["template"]["spec"]
        (source,) = spec["containers"][0]["envFrom"]
        return str(self.get("configmap", source["configMapRef"]["name"])["data"]["greeting"])

    def record(self) -> None:
        """As `cbctl env record` prints it."""
        told = self.json(f"env record {self.agrees}")["outcome"]
        self.identity = {
            name: told[name] for name in ("cluster_uid", "namespace_uid") if told.get(name)
        }
        self.whole()

    @property
    def agrees(self) -> str:
        return f"--confirm {self.env}" if self.protected else "--yes"

    def deploy(self, *, exit: int = 0) -> Any:
        return self.json(f"deploy --image {self.image} {self.agrees}", exit=exit)

    def releases(self) -> list[Any]:
        found: list[Any] = self.json("releases")
        return found
