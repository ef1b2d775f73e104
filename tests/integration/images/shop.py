"""A platform with one image of a single file, made by `cbctl api build` and `push`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENV = "testing"
ADDRESS = "11111111111111111111111111111111"


class Shop:
    def __init__(self, folder: Path, repository: str, variables: Mapping[str, str]) -> None:
        self.folder, self.repository = folder, repository
        self.variables = dict(variables)
        (folder / "program.txt").write_text("one")
        (folder / "Containerfile").write_text("FROM scratch\nCOPY program.txt /program.txt\n")
        (folder / ".dockerignore").write_text("*\n!program.txt\n")
        self.image: dict[str, Any] = {
            "repository": repository,
            "containerfile": "Containerfile",
            "context": ".",
            "sources": ["program.txt"],
            "tool": "buildah",
        }
        self.write()

    def write(self) -> None:
        content = {
            "version": 1,
            "platform": "shop",
            "environments": {
                ENV: {
                    "chain": {"on": "external", "cluster": "devnet", "rpc": ["https://x.example"]},
                    "program": {
                        "name": "shop",
                        "elf": "shop.so",
                        "idl": "shop.json",
                        "id": ADDRESS,
                        "wallet": "${file:wallet.json}",
                    },
                    "migrations": {"folder": "migrations", "schema": "schema.json"},
                    "database": {"on": "external", "url": "postgresql://db.example/shop"},
                    "cache": {"on": "external", "url": "redis://cache.example/0"},
                    "images": {"api": self.image},
                    "api": {
                        "on": "local",
                        "source": "shop",
                        "module": "shop",
                        "port": 8080,
                        "health": "/health",
                        "ready": "/ready",
                        "environment": {},
                    },
                }
            },
        }
        (self.folder / "cbctl.yaml").write_text(json.dumps(content))

    def run(self, line: str, *, exit: int = 0) -> str:
        done = self.process(line)
        said = done.stderr + done.stdout
        assert done.returncode == exit, f"cbctl {line} → {done.returncode}\n{said}"
        assert "Traceback" not in said
        return said

    def json(self, line: str) -> Any:
        done = self.process(f"{line} --output json")
        assert done.returncode == 0, f"cbctl {line} → {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout)

    def process(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cbctl", *line.split()],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "CBCTL_STATE_DIR": str(self.folder / "state"),
                "CBCTL_ENV": ENV,
                **self.variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
