"""A platform whose service is a Deployment of the cluster, operated by `cbctl api` with exactly the
rights that CI has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.kubernetes.identity import ci_kubeconfig
from tests.integration.kubernetes.overlay import Overlay
from tests.integration.kubernetes.support import app_image
from tests.testbed.kubenode import binary
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

ENV = "testing"
OWNER = f"toys.{ENV}"
ADDRESS = "11111111111111111111111111111111"


class Toys:
    """
    overlay  its manifests
    env      name of its environment
    machine  whose state folder is used: another name is another operator's machine
    """

    machine = "state"
    env = ENV

    def __init__(self, folder: Path, cluster: Cluster, own: str) -> None:
        self.folder, self.cluster, self.own = folder, cluster, own
        self.kubeconfig = ci_kubeconfig(cluster, own, folder)
        self.overlay = Overlay(folder / "overlay", own)
        self.overlay.write()
        self.kubernetes: dict[str, Any] = {"manifests": "overlay", "seconds": 120}
        self.policy: dict[str, Any] = {}
        self.images: dict[str, Any] = {}
        self.database: dict[str, Any] = {"on": "external", "url": "postgresql://db.example/toys"}
        self.jobs: dict[str, Any] = {}
        self.secrets: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self.write()

    def write(self) -> None:
        """JSON is YAML."""
        content = {
            "version": 1,
            "platform": "toys",
            "environments": {
                self.env: {
                    "chain": {"on": "external", "cluster": "devnet", "rpc": ["https://x.example"]},
                    "program": {
                        "name": "toys",
                        "elf": "toys.so",
                        "idl": "toys.json",
                        "id": ADDRESS,
                        "wallet": "${file:wallet.json}",
                    },
                    "migrations": {"folder": "migrations", "schema": "schema.json"},
                    "database": self.database,
                    "jobs": self.jobs,
                    "secrets": self.secrets,
                    "cache": {"on": "external", "url": "redis://cache.example/0"},
                    "api": {
                        "on": "kubernetes",
                        "source": "toys",
                        "module": "toys",
                        "port": 8080,
                        "health": "/health",
                        "ready": "/ready",
                        "environment": {},
                        "kubernetes": self.kubernetes,
                    },
                    "clusters": {"main": {"context": CONTEXT, "namespace": self.own}},
                    "policy": self.policy,
                    "images": self.images,
                }
            },
        }
        (self.folder / "cbctl.yaml").write_text(json.dumps(content))

    @property
    def image(self) -> str:
        return app_image(self.cluster)

    def run(self, line: str, *, exit: int = 0, kubectl: bool = True) -> str:
        """cbctl with that command line; what it says, its talk first."""
        done = self.process(line, kubectl=kubectl)
        said = done.stderr + done.stdout
        assert done.returncode == exit, f"cbctl {line} → {done.returncode}\n{said}"
        assert "Traceback" not in said
        return said

    def json(self, line: str, *, exit: int = 0) -> Any:
        done = self.process(f"{line} --output json")
        assert done.returncode == exit, f"cbctl {line} → {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    def rollout(self, *, exit: int = 0) -> Any:
        return self.json(f"api rollout --image {self.image} --yes", exit=exit)

    def process(self, line: str, *, kubectl: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(line),
            cwd=self.folder,
            env=self.environment(kubectl=kubectl),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def started(self, line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(line),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def command(self, line: str) -> list[str]:
        return [sys.executable, "-m", "cbctl", *line.split()]

    def environment(self, *, kubectl: bool = True) -> dict[str, str]:
        paths = [str(binary.kubectl().parent)] if kubectl else []
        return {
            "PATH": os.pathsep.join([*paths, "/usr/bin", "/bin"]),
            "HOME": str(self.folder),
            "CBCTL_STATE_DIR": str(self.folder / self.machine),
            "CBCTL_ENV": self.env,
            "CBCTL_CONFIG": str(self.folder / "cbctl.yaml"),
            "KUBECONFIG": str(self.kubeconfig),
            **self.variables,
        }

    def get(self, *words: str) -> Any:
        return self.cluster.get(*words, "-n", self.own)

    def kubectl(self, *words: str) -> str:
        return self.cluster.kubectl(*words, "-n", self.own)

    def secret(self, name: str, values: dict[str, str]) -> None:
        """A new one of its namespace."""
        literals = [f"--from-literal={key}={value}" for key, value in values.items()]
        self.kubectl("create", "secret", "generic", name, *literals)
