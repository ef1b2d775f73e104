"""Names of images, as `docker pull` takes them: registry/path:tag@sha256:…"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cbctl.config.urls import is_loopback_host
from cbctl.errors import CbctlError, Exit

_HUB = "docker.io"
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Name:
    """
    registry  host, with a port where it is not 443
    path      of the repository there
    tag, digest  "" where the name has none
    """

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.registry}/{self.path}"

    @property
    def reference(self) -> str:
        """What the registry looks it up by."""
        return self.digest or self.tag or "latest"

    @property
    def is_plain(self) -> bool:
        """Whether the registry is asked without TLS: only on this machine."""
        return is_loopback_host(self.registry.partition(":")[0])

    def by(self, digest: str) -> str:
        return f"{self.repository}@{digest}"

    def at(self, registry: str) -> Name:
        """The same image by another way to its registry; "": by the same."""
        return replace(self, registry=registry) if registry else self

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")


def parse(image: str) -> Name:
    """Raises CbctlError (64) for what is no name of an image."""
    rest, at, digest = image.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not (set(".:") & set(host) or host == "localhost"):
        host, path = _HUB, rest if slash else f"library/{rest}"
    host = _HUB if host == f"index.{_HUB}" else host  # as cosign names it
    path, _, tag = path.partition(":")
    if not _PATH.fullmatch(path) or (tag and not _TAG.fullmatch(tag)):
        raise _wrong(image)
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong(image)
    if ":" in rest.rpartition("/")[2] and not tag:
        raise _wrong(image)
    return Name(host, path, tag, digest)


def _wrong(image: str) -> CbctlError:
    return CbctlError(
        f"{image!r} is no name of an image",
        exit=Exit.USAGE,
        fix="registry/path@sha256: and 64 lower-case hexadecimal digits",
    )
