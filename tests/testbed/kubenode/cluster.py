"""A real Kubernetes for a test session: a node of its own, or one that CBCTL_TEST_KUBECONFIG names.

The first takes half a minute. It is made when the first test asks for it and ends with the session.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.testbed.beds import need
from tests.testbed.kubenode import binary, pki
from tests.testbed.kubenode.images import Images
from tests.testbed.kubenode.node import Node

CONTEXT = "kubenode"


class Cluster:
    """node, images: None for a cluster that is not ours"""

    def __init__(
        self, kubeconfig: Path, node: Node | None = None, images: Images | None = None
    ) -> None:
        self.kubeconfig = kubeconfig
        self._node, self._images = node, images

    @property
    def node(self) -> Node:
        if self._node is None:
            need("kubenode", "this needs a node that the test may disturb")
        assert self._node is not None
        return self._node

    @property
    def images(self) -> Images:
        if self._images is None:
            need("kubenode", "this needs a registry that the cluster can reach")
        assert self._images is not None
        return self._images

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        done = self.try_kubectl(*words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *words: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(binary.kubectl()), f"--kubeconfig={self.kubeconfig}", *words]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, timeout=120
        )

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))


@cache
def running() -> Cluster:
    """The cluster of this session."""
    need("kubenode")
    if named := os.environ.get("CBCTL_TEST_KUBECONFIG"):
        return Cluster(Path(named))
    folder = Path(tempfile.mkdtemp(prefix="kubenode-"))
    node = Node(folder, binary.kubenode())
    atexit.register(_end, node)
    node.up()
    images = Images(node.init)
    images.pause()
    server = f"https://127.0.0.1:{node.port_into(6443)}"
    config = pki.kubeconfig(folder / "outside.kubeconfig", folder / "pki", "admin", server)
    return Cluster(config, node, images)


def _end(node: Node) -> None:
    node.down()
    shutil.rmtree(node.folder, ignore_errors=True)
