"""The images of the repository, built for real on Debian with Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from tests.integration.images.shop import Shop
from tests.testbed.kubenode import images as bed
from tests.testbed.registry import Registry

from cbctl.clients.images import bill
from cbctl.clients.images.name import parse
from cbctl.clients.images.registry import Registry as Client
from cbctl.config.load import load

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.nightly


def buildah(store: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        ["buildah", *words], env=os.environ | store, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def base(store: dict[str, str], tmp_path: Path) -> str:
    """With the machine's way to packages."""
    folder = tmp_path / "base"
    folder.mkdir()
    shutil.copytree("/etc/ssl/certs", folder / "certs")
    (folder / "pip.conf").write_text(bed._pip_settings())
    (folder / "Containerfile").write_text(
        f"FROM scratch\nADD {bed.base().name}.tar /\nCOPY certs /etc/ssl/certs\n"
        "COPY pip.conf /etc/pip.conf\n"
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )
    os.link(bed.base(), folder / f"{bed.base().name}.tar")
    buildah(store, "build", "-q", "-t", "localhost/base", str(folder))
    return "localhost/base"


def with_kubectl(store: Mapping[str, str], folder: Path) -> str:
    """An image of a single program."""
    folder.mkdir()
    (folder / "kubectl").write_text("#!/bin/sh\necho 'a kubectl'\n")
    (folder / "kubectl").chmod(0o755)
    (folder / "Containerfile").write_text("FROM scratch\nCOPY kubectl /bin/kubectl\n")
    buildah(store, "build", "-q", "-t", "localhost/kubectl", str(folder))
    return "localhost/kubectl"


@pytest.mark.parametrize(("name", "program"), [("api", "cbapi"), ("cbctl", "cbctl")])
def test_built_pushed_and_listed(
    name: str, program: str, base: str, store: dict[str, str], registry: Registry, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, f"{registry.address}/{program}", store)
    shipped = load(ROOT / "cbctl.yaml").environments["staging"].images[name]
    arguments = {"BASE": base}
    if "KUBECTL" in shipped.arguments:
        arguments["KUBECTL"] = with_kubectl(store, tmp_path / "kubectl")
    shop.image |= {
        "containerfile": str(shipped.containerfile),
        "context": str(shipped.context),
        "sources": [str(path) for path in shipped.sources],
        "arguments": arguments,
    }
    shop.write()
    made = shop.json("api push --yes")["outcome"]

    config = json.loads(buildah(store, "inspect", "--type=image", _tagged(made)))["Docker"][
        "config"
    ]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert ("Healthcheck" in config) == (name == "api")

    listed = _listed(made["image"])
    assert listed["metadata"]["component"]["version"] == parse(made["image"]).digest
    container = buildah(store, "from", _tagged(made)).strip()
    root = Path(buildah(store, "mount", container).strip())
    found = {(one["name"], one["version"]) for one in listed["components"]}
    assert found == _packages(root)
    assert not list(root.glob("**/site-packages/pip")), "nothing that installs more"
    assert not list(root.glob("**/.env*")), "no environment file"
    said = buildah(store, "run", container, "--", *_version(program))
    assert said.strip()
    if "KUBECTL" in shipped.arguments:
        assert "a kubectl" in buildah(store, "run", container, "--", "kubectl")
    buildah(store, "rm", container)


def _version(program: str) -> list[str]:
    return (
        ["cbctl", "--version"]
        if program == "cbctl"
        else ["python3", "-c", "import cbapi.app; print(1)"]
    )


def _tagged(made: dict[str, str]) -> str:
    return f"{made['image'].partition('@')[0]}:{made['tag']}"


def _listed(image: str) -> dict[str, Any]:
    name = parse(image)
    with Client(name) as client:
        (one,) = [o for o in client.referrers(name.digest) if o["artifactType"] == bill.KIND]
        manifest = client.manifest(one["digest"])
        assert manifest
        (layer,) = manifest["layers"]
        found: dict[str, Any] = json.loads(client.blob(layer["digest"], 16 << 20))
    return found


def _packages(root: Path) -> set[tuple[str, str]]:
    """As dpkg and Python themselves have them."""
    words = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Package} ${Version}\\n"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {(name, version) for name, version in (line.split() for line in lines)}
    for place in {path.parent for path in root.glob("**/*.dist-info")}:
        for one in distributions(path=[str(place)]):
            found.add(
                (one.metadata["Name"].lower().replace("_", "-").replace(".", "-"), one.version)
            )
    return found
