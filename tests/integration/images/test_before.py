"""What is missing for an image is said before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.images.shop import ENV, Shop
from tests.testbed.registry import Registry


@pytest.fixture
def shop(tmp_path: Path, registry: Registry, store: dict[str, str]) -> Shop:
    return Shop(tmp_path, f"{registry.address}/{tmp_path.name.replace('_', '-')}", store)


def runs(shop: Shop) -> list[Path]:
    return list((shop.folder / "state").glob("*/*/runs/*"))


def test_an_argument_without_a_value(shop: Shop) -> None:
    (shop.folder / "Containerfile").write_text(
        "ARG BASE=scratch\nFROM ${BASE}\nCOPY program.txt /program.txt\n"
    )
    shop.image["arguments"] = {"BASE": "${env:OUR_BASE}"}
    shop.write()
    for command in ("api build --yes", "api push --yes"):
        said = shop.run(command, exit=64)
        assert "BASE has no value: ${env:OUR_BASE}" in said
    assert not runs(shop)

    shop.image["arguments"] = {"BASE": "${env:OUR_BASE?}"}  # then it is the Containerfile's own
    shop.write()
    first = shop.json("api build --yes")["outcome"]["image"]
    (shop.folder / f".env.{ENV}").touch(mode=0o600)
    (shop.folder / f".env.{ENV}").write_text("OUR_BASE=scratch\n")
    assert shop.json("api build --yes")["outcome"]["image"] != first


def test_nothing_to_push_with(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shop.variables["PATH"] = str(tmp_path / "bin")
    assert "apt-get install buildah" in shop.run("api push --yes", exit=1)
    assert not runs(shop)
    del shop.variables["PATH"]
    pushed = shop.json("api push --yes")["outcome"]
    shop.variables["PATH"] = str(tmp_path / "bin")
    assert shop.json("api push --yes")["outcome"] == pushed, "to look it up needs no tool"
