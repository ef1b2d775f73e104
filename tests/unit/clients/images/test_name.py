"""Names of images, as docker takes them."""

from __future__ import annotations

import pytest

from cbctl.clients.images.name import Name, parse
from cbctl.errors import CbctlError, Exit

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop", Name("docker.io", "library/shop")),
        ("team/shop:1", Name("docker.io", "team/shop", "1")),
        ("index.docker.io/library/shop", Name("docker.io", "library/shop")),
        ("localhost/shop", Name("localhost", "shop")),
        ("registry.example/a/b:v1.2_3", Name("registry.example", "a/b", "v1.2_3")),
        (f"127.0.0.1:5000/shop:1@{DIGEST}", Name("127.0.0.1:5000", "shop", "1", DIGEST)),
    ],
)
def test_parts(text: str, name: Name) -> None:
    assert parse(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.example/",
        "registry.example/Shop",
        "registry.example/shop:",
        "registry.example/../shop",
        "registry.example/shop@",
        f"registry.example/shop@{DIGEST[:-1]}",
        f"registry.example/shop@{DIGEST.upper()}",
        "registry.example/shop\n",
        "https://registry.example/shop",
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(CbctlError, match="is no name of an image") as raised:
        parse(text)
    assert raised.value.exit is Exit.USAGE


def test_only_this_machine_is_asked_without_tls() -> None:
    for host in ("127.0.0.1:5000", "localhost", "127.8.8.8:1"):
        assert parse(f"{host}/shop").is_plain
    for host in ("registry.example", "10.0.0.1:5000", "localhost.example", "127.0.0.1.example"):
        assert not parse(f"{host}/shop").is_plain
