"""Real registries, and buildah with a store of its own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.testbed.beds import need
from tests.testbed.registry import Registry

PASSWORD = "canary-" + secrets.token_hex(8)


@pytest.fixture(scope="session")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Registry]]:
    need("kubenode")
    running: dict[str, Registry] = {}

    def get(password: str) -> Registry:
        if password not in running:
            made = Registry(tmp_path_factory.mktemp("registry"), password)
            made.start()
            running[password] = made
        return running[password]

    yield get
    for registry in running.values():
        registry.stop()


@pytest.fixture
def registry(registries: Callable[[str], Registry]) -> Registry:
    """Anybody may use it."""
    return registries("")


@pytest.fixture
def guarded(registries: Callable[[str], Registry]) -> Registry:
    """Asks for a token."""
    return registries(PASSWORD)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables with which buildah keeps its images here alone."""
    settings = tmp_path / "storage.conf"
    settings.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}/images"\n'
        f'runroot = "{tmp_path}/images-run"\n'
    )
    found = {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
    yield found
    # A build that failed leaves its layers mounted.
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{tmp_path}/"):
            subprocess.run(["umount", "-l", place], check=False)
