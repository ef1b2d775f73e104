"""What software is found in images of every make."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import IO, Any

import pytest
import zstandard

from cbctl.clients.images.contents import Package, packages
from cbctl.clients.images.name import parse
from cbctl.clients.images.registry import Registry
from cbctl.errors import CbctlError

STATUS = "var/lib/dpkg/status"
LIBRARY = "opt/lib/python3/site-packages/{0}-1.0.dist-info/METADATA"


class Kept(Registry):
    """A registry that is a dictionary."""

    def __init__(self) -> None:
        super().__init__(parse("registry.example/shop"))
        self.blobs: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        return digest

    def image(self, *layers: tuple[str, bytes]) -> dict[str, Any]:
        described = [{"mediaType": kind, "digest": self.put(data)} for kind, data in layers]
        return {"schemaVersion": 2, "layers": described}

    def manifest(self, reference: str) -> dict[str, Any] | None:
        found = self.blobs.get(reference)
        return None if found is None else json.loads(found)

    def save(self, digest: str, file: IO[bytes], most: int) -> None:
        file.write(self.blobs[digest])


@pytest.fixture
def registry() -> Kept:
    return Kept()


def tar(*files: tuple[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return made.getvalue()


def layer(*files: tuple[str, str]) -> tuple[str, bytes]:
    return "application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar(*files))


def library(name: str) -> tuple[str, str]:
    return LIBRARY.format(name), f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\nText\n"


def deb(name: str, architecture: str = "amd64", status: str = "install ok installed") -> str:
    return (
        f"Package: {name}\nStatus: {status}\nArchitecture: {architecture}\nVersion: 2-1\n"
        "Description: one line\n and another\n"
    )


def test_of_debian_and_of_python(registry: Kept) -> None:
    gone = [
        deb(f"no-{state}", status=f"purge ok {state}")
        for state in ("not-installed", "config-files")
    ]
    status = "\n".join((deb("base"), *gone))
    image = registry.image(layer((STATUS, status)), layer(library("Some_Lib")))
    found = packages(registry, image)
    assert found == (Package("deb", "base", "2-1", "amd64"), Package("pypi", "some-lib", "1.0"))


def test_of_a_layer_in_zstd_and_of_one_that_is_not_compressed(registry: Kept) -> None:
    plain = ("application/vnd.oci.image.layer.v1.tar", tar(library("one")))
    zstd = f"{plain[0]}+zstd", zstandard.compress(tar(library("two")))
    assert [one.name for one in packages(registry, registry.image(plain, zstd))] == ["one", "two"]


def test_what_a_later_layer_removes_is_gone(registry: Kept) -> None:
    folder, name = LIBRARY.format("one").rsplit("/", 1)
    base = layer(library("one"), library("two"))
    removed = layer((f"{folder}/.wh.{name}", ""))
    assert [one.name for one in packages(registry, registry.image(base, removed))] == ["two"]


def test_a_layer_that_replaces_a_folder_keeps_its_own(registry: Kept) -> None:
    """Wherever in the layer it says that the folder was emptied: that is of those below."""
    site = LIBRARY.partition("/{0}")[0]
    emptied = (f"{site}/.wh..wh..opq", "")
    for files in ([emptied, library("new")], [library("new"), emptied]):
        image = registry.image(layer(library("old")), layer(*files))
        assert [one.name for one in packages(registry, image)] == ["new"]


def test_an_index_is_the_images_that_it_names(registry: Kept) -> None:
    """As docker pushes what BuildKit built: with a statement of how, which is no image."""
    images = [
        registry.image(layer((STATUS, deb("base", architecture)), library("lib")))
        for architecture in ("amd64", "arm64")
    ]
    statement = {"schemaVersion": 2, "layers": [{"mediaType": "application/vnd.in-toto+json"}]}
    named: list[dict[str, Any]] = [
        {"digest": registry.put(json.dumps(one).encode())} for one in images
    ]
    named.append(
        {
            "digest": registry.put(json.dumps(statement).encode()),
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        }
    )
    assert packages(registry, {"schemaVersion": 2, "manifests": named}) == (
        Package("deb", "base", "2-1", "amd64"),
        Package("deb", "base", "2-1", "arm64"),
        Package("pypi", "lib", "1.0"),
    )


def test_what_cannot_be_read_is_said(registry: Kept) -> None:
    for kind in ("gzip", "zstd"):
        broken = f"application/vnd.oci.image.layer.v1.tar+{kind}", b"no archive at all"
        with pytest.raises(CbctlError, match="cannot be read"):
            packages(registry, registry.image(broken))
    absent = {"manifests": [{"digest": "sha256:" + "0" * 64}]}
    with pytest.raises(CbctlError, match="which the registry has not"):
        packages(registry, absent)
