"""The way back and the registry: only an image that is surely gone is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.images.shop import Shop
from tests.testbed.registry import Registry
from tests.testbed.waiting import free_port

from cbctl.clients.images.name import parse
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api._registry import look


@pytest.fixture
def image(tmp_path: Path, registry: Registry, store: dict[str, str]) -> str:
    shop = Shop(tmp_path, f"{registry.address}/{tmp_path.name.replace('_', '-')}", store)
    found: str = shop.json("api push --yes")["outcome"]["image"]
    return found


def test_there_and_gone(image: str) -> None:
    repository = parse(image).repository
    assert look(image, repository, "") == "in its registry"
    assert look(image, "", "").startswith("not looked up")
    with pytest.raises(CbctlError, match="not in the registry") as raised:
        look(f"{repository}@sha256:{'0' * 64}", repository, "")
    assert raised.value.exit is Exit.REFUSED


def test_a_registry_that_does_not_answer_or_not_us(
    guarded: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    digest = f"sha256:{'0' * 64}"
    for address in (f"127.0.0.1:{free_port()}", guarded.address):
        found = look(f"{address}/shop@{digest}", f"{address}/shop", "")
        assert found.startswith("not looked up: ")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("no JSON")
    found = look(f"{guarded.address}/shop@{digest}", f"{guarded.address}/shop", "")
    assert "no configuration of docker" in found
