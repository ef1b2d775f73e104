"""`cbctl api build` and `push` with real buildah and real registries."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.integration.images.conftest import PASSWORD
from tests.integration.images.shop import Shop
from tests.testbed.registry import USER, Registry


@pytest.fixture
def shop(tmp_path: Path, registry: Registry, store: dict[str, str]) -> Shop:
    return Shop(tmp_path, f"{registry.address}/{tmp_path.name.replace('_', '-')}", store)


def asked(address: str, path: str, kind: str) -> Any:
    """The registry's own answer."""
    request = urllib.request.Request(f"http://{address}/v2/{path}", headers={"Accept": kind})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def test_pushed_once(shop: Shop, registry: Registry) -> None:
    assert "image" in shop.run("api push --plan", exit=2)
    made = shop.json("api push --yes")["outcome"]
    repository, _, digest = made["image"].partition("@")
    assert repository == shop.repository
    again = shop.json("api push --yes")
    assert (again["result"], again["outcome"]) == ("unchanged", made)

    path = repository.removeprefix(f"{registry.address}/")
    tags = asked(registry.address, f"{path}/tags/list", "application/json")["tags"]
    assert made["tag"] in tags
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    by_tag = asked(registry.address, f"{path}/manifests/{made['tag']}", kind)
    assert by_tag == asked(registry.address, f"{path}/manifests/{digest}", kind)

    (shop.folder / "program.txt").write_text("two")
    other = shop.json("api push --yes")["outcome"]
    assert other["tag"] != made["tag"]
    assert other["image"] != made["image"]


def test_built_and_not_pushed(shop: Shop) -> None:
    made = shop.json("api build --yes")["outcome"]["image"]
    assert shop.run("api build --plan")
    found = subprocess.run(
        ["buildah", "inspect", "--type=image", made],
        env=os.environ | shop.variables,
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0
    pushed = shop.json("api push --yes")["outcome"]
    assert made == f"{shop.repository}:{pushed['tag']}"


def test_a_build_that_fails_says_why(shop: Shop) -> None:
    (shop.folder / "Containerfile").write_text("FROM scratch\nCOPY nothing.txt /\n")
    said = shop.run("api push --yes", exit=5)
    assert "nothing.txt" in said


def test_what_is_wrong_is_said_before_anything_is_done(shop: Shop) -> None:
    shop.image["sources"] = ["absent.txt"]
    shop.write()
    assert "absent.txt" in shop.run("api push --yes", exit=64)
    shop.image |= {"sources": ["program.txt"], "repository": f"{shop.repository}:latest"}
    shop.write()
    assert "has a tag" in shop.run("api push --yes", exit=64)
    shop.image["repository"] = "${env:NOT_SET?}"
    shop.write()
    assert "repository of the image is not set" in shop.run("api push --yes", exit=64)
    shop.image |= {"repository": "127.0.0.1:1/shop"}
    shop.write()
    assert "does not answer" in shop.run("api push --yes", exit=1)


def test_no_tool(shop: Shop, tmp_path: Path) -> None:
    del shop.image["tool"]
    shop.write()
    (tmp_path / "bin").mkdir()
    shop.variables["PATH"] = str(tmp_path / "bin")
    said = shop.run("api build --yes", exit=1)
    assert "docker, podman, buildah" in said
    assert "apt-get install buildah" in said


class TestSignedIn:
    """A registry that asks for a token."""

    @pytest.fixture
    def shop(self, tmp_path: Path, guarded: Registry, store: dict[str, str]) -> Shop:
        made = Shop(tmp_path, f"{guarded.address}/shop", store)
        self.login(made, guarded, PASSWORD)
        return made

    @staticmethod
    def login(shop: Shop, registry: Registry, password: str) -> None:
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (shop.folder / ".docker").mkdir(exist_ok=True)
        content = {"auths": {registry.address: {"auth": auth}}}
        (shop.folder / ".docker" / "config.json").write_text(json.dumps(content))

    def test_as_docker_login_has_it(self, shop: Shop) -> None:
        made = shop.json("api push --yes")["outcome"]
        said = shop.run("api push --yes")
        assert made["image"] in said
        everything = said + "".join(p.read_text() for p in shop.folder.rglob("*.ndjson"))
        assert PASSWORD not in everything
        assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in everything

    def test_as_a_helper_has_it(self, shop: Shop, tmp_path: Path) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        helper = folder / "docker-credential-shop"
        answer = json.dumps({"Username": USER, "Secret": PASSWORD})
        helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
        helper.chmod(0o755)
        shop.variables["PATH"] = f"{folder}:{os.environ['PATH']}"
        (shop.folder / ".docker" / "config.json").write_text('{"credsStore": "shop"}')
        shop.run("api push --yes")

    def test_the_wrong_password(self, shop: Shop, guarded: Registry) -> None:
        self.login(shop, guarded, "another")
        said = shop.run("api push --yes", exit=3)
        assert "docker login" in said
        shutil.rmtree(shop.folder / ".docker")
        assert "docker login" in shop.run("api push --yes", exit=3)
