"""What policy asks of an image, with signatures that openssl made and a registry that holds them.

The form is cosign's published one; where cosign itself is on PATH it signs too.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.images.shop import Shop
from tests.testbed.beds import need
from tests.testbed.registry import Registry

from cbctl.clients.images.name import parse
from cbctl.clients.images.registry import MANIFEST
from cbctl.clients.images.registry import Registry as Client
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api._registry import require

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"


@pytest.fixture
def image(tmp_path: Path, registry: Registry, store: dict[str, str]) -> str:
    shop = Shop(tmp_path, f"{registry.address}/{tmp_path.name.replace('_', '-')}", store)
    found: str = shop.json("api push --yes")["outcome"]["image"]
    return found


class Signer:
    """A key pair of openssl's."""

    def __init__(self, folder: Path, name: str) -> None:
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.private)
        run("openssl", "ec", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, content: bytes) -> str:
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.private)],
            input=content,
            capture_output=True,
            check=True,
        )
        return base64.b64encode(done.stdout).decode()


def run(*words: Any) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path, "ours")


def put(image: str, kind: str, layers: list[tuple[str, bytes, dict[str, str]]]) -> None:
    """What cosign keeps beside an image."""
    name = parse(image)
    with Client(name) as client:
        described = [
            {
                "mediaType": media,
                "digest": client.put_blob(data),
                "size": len(data),
                "annotations": about,
            }
            for media, data, about in layers
        ]
        config = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": client.put_blob(b"{}"),
            "size": 2,
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": described,
        }
        tag = f"{name.digest.replace(':', '-')}.{kind}"
        content = json.dumps(manifest).encode()
        client._call("PUT", f"manifests/{tag}", {"Content-Type": MANIFEST}, content)


def sign(image: str, signer: Signer, about: str = "") -> None:
    """about: another image, to which the signature then belongs"""
    name = parse(about or image)
    payload = {
        "critical": {
            "identity": {"docker-reference": name.repository},
            "image": {"docker-manifest-digest": name.digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    content = json.dumps(payload).encode()
    annotation = {"dev.cosignproject.cosign/signature": signer.sign(content)}
    put(image, "sig", [(SIMPLE, content, annotation)])


def attest(image: str, signer: Signer, predicate: str = "https://slsa.dev/provenance/v1") -> None:
    name = parse(image)
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name.path, "digest": {"sha256": name.digest[7:]}}],
        "predicateType": predicate,
        "predicate": {},
    }
    payload = json.dumps(statement).encode()
    kind = "application/vnd.in-toto+json"
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    envelope = {
        "payloadType": kind,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "", "sig": signer.sign(signed)}],
    }
    put(image, "att", [(DSSE, json.dumps(envelope).encode(), {})])


def refused(image: str, key: Path, *, provenance: bool = False) -> str:
    with pytest.raises(CbctlError) as raised:
        require(image, parse(image).repository, "", key, provenance)
    assert raised.value.exit is Exit.REFUSED
    return raised.value.what


def test_signed_or_not(image: str, signer: Signer, tmp_path: Path) -> None:
    assert "no signature" in refused(image, signer.public)
    stranger = Signer(tmp_path, "strange")
    sign(image, stranger)
    assert "by the key that policy names" in refused(image, signer.public)
    other = image[:-1] + ("0" if image[-1] != "0" else "1")
    sign(image, signer, about=other)
    assert "by the key that policy names" in refused(image, signer.public), "of another image"
    sign(image, signer, about=image.replace("@", "-other@"))
    assert "for this repository" in refused(image, signer.public), "of another repository"
    sign(image, signer)
    found = require(image, parse(image).repository, "", signer.public, provenance=False)
    assert found == "in its registry, signed"


def test_how_it_was_built(image: str, signer: Signer, tmp_path: Path) -> None:
    sign(image, signer)
    assert "nothing says how" in refused(image, signer.public, provenance=True)
    attest(image, Signer(tmp_path, "strange"))
    assert "is signed by the key" in refused(image, signer.public, provenance=True)
    attest(image, signer, "https://spdx.dev/Document")
    assert "is signed by the key" in refused(image, signer.public, provenance=True)
    attest(image, signer)
    assert "signed" in require(image, parse(image).repository, "", signer.public, provenance=True)


def test_keys_that_are_none(image: str, tmp_path: Path) -> None:
    for content in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        (tmp_path / "key.pub").write_bytes(content)
        with pytest.raises(CbctlError, match="no public key") as raised:
            require(image, parse(image).repository, "", tmp_path / "key.pub", provenance=False)
        assert raised.value.exit is Exit.USAGE
    with pytest.raises(CbctlError, match="cannot be read"):
        require(image, parse(image).repository, "", tmp_path / "absent.pub", provenance=False)


def test_as_cosign_itself_signs(image: str, tmp_path: Path) -> None:
    need("cosign")
    own = os.environ | {"COSIGN_PASSWORD": "of-a-test"}
    subprocess.run(["cosign", "generate-key-pair"], cwd=tmp_path, env=own, check=True)
    words = ["sign", "--yes", "--tlog-upload=false", "--key=cosign.key", image]
    subprocess.run(["cosign", *words], cwd=tmp_path, env=own, check=True)
    key = tmp_path / "cosign.pub"
    assert "signed" in require(image, parse(image).repository, "", key, provenance=False)
    assert "nothing says how" in refused(image, key, provenance=True)

    made = {
        "buildDefinition": {"buildType": "https://shop.example/build", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://shop.example/builder"}},
    }
    (tmp_path / "made.json").write_text(json.dumps(made))
    words = ["attest", "--yes", "--tlog-upload=false", "--key=cosign.key", "--predicate=made.json"]
    words += ["--type=slsaprovenance1", image]
    subprocess.run(["cosign", *words], cwd=tmp_path, env=own, check=True)
    assert "signed" in require(image, parse(image).repository, "", key, provenance=True)


def test_looked_up(image: str, registry: Registry) -> None:
    repository = parse(image).repository
    assert require(image, repository, "", None, provenance=False) == "in its registry"
    absent = f"{repository}@sha256:{'0' * 64}"
    with pytest.raises(CbctlError, match="not in the registry") as raised:
        require(absent, repository, "", None, provenance=False)
    assert raised.value.exit is Exit.REFUSED
    elsewhere = image.replace(registry.address, "registry.example:5000")
    known = repository.replace(registry.address, "registry.example:5000")
    assert "in its" in require(elsewhere, known, registry.address, None, provenance=False)
    silent = image.replace(registry.address, "127.0.0.1:1")
    with pytest.raises(CbctlError, match="not known: the registry does not answer") as raised:
        require(silent, "127.0.0.1:1/shop", "", None, provenance=False)
    assert raised.value.exit is Exit.REFUSED
    assert "not looked up" in require(silent, "", "", None, provenance=False)


def test_a_tag_is_refused_with_its_digest(image: str) -> None:
    name = parse(image)
    with Client(name) as client:
        manifest = client.manifest(name.digest)
        assert manifest
        content = client._manifest(name.digest)
        kind = manifest["mediaType"]
        client._call("PUT", "manifests/v1", {"Content-Type": kind}, content)
    for repository in (name.repository, ""):
        with pytest.raises(CbctlError, match="not named by its digest") as raised:
            require(f"{name.repository}:v1", repository, "", None, provenance=False)
        assert raised.value.exit is Exit.USAGE
        assert image in raised.value.fix
    with pytest.raises(CbctlError) as raised:
        require(f"{name.repository}:absent", name.repository, "", None, provenance=False)
    assert raised.value.fix == "name it name@sha256:…; cbctl api push prints the digest"
