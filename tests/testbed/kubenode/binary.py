"""The one file that is a whole Kubernetes, built from Go modules: minutes the first time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.testbed.kubenode import cache

VERSION = "1.36.3"
_SOURCES = Path(__file__).parent / "go"
_STAMP = {
    "gitVersion": f"v{VERSION}",
    "gitMajor": VERSION.split(".")[0],
    "gitMinor": VERSION.split(".")[1],
    "gitCommit": "none",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
}
_LINK = " ".join(
    ["-s -w"]
    + [
        f"-X k8s.io/{package}/version.{name}={value}"
        for package in ("component-base", "client-go/pkg")
        for name, value in _STAMP.items()
    ]
)


def path() -> Path:
    """Where it is, or will be."""
    inputs = [(_SOURCES / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")]
    return cache.place("kubenode", [*inputs, _LINK.encode()])


def kubenode() -> Path:
    return cache.kept(path(), _build)


def kubectl() -> Path:
    """The same file by the name under which it is kubectl, in a folder with nothing else."""
    binary = kubenode()
    link = binary.parent / f"{binary.name}-bin" / "kubectl"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(binary)
    return link


def _build(target: Path) -> None:
    # A build cache of its own: 3 GB that nobody needs afterwards.
    with tempfile.TemporaryDirectory(prefix="kubenode-build-") as scratch:
        environment = os.environ | {
            "CGO_ENABLED": "0",
            "GOCACHE": scratch,
            "GOFLAGS": "-buildvcs=false -mod=readonly",
        }
        command = ["go", "build", "-trimpath", f"-ldflags={_LINK}", "-o", str(target), "."]
        done = subprocess.run(
            command, cwd=_SOURCES, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"go build: {done.stderr[-2000:]}")
