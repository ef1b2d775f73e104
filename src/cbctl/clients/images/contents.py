"""What software is in an image: read out of its layers, as the registry has them.

Source: OCI Image Specification 1.1 (index, layers, whiteouts) and BuildKit's annotations of an
index; deb-control(5) for dpkg's status file; Python's core metadata for installed distributions.
"""

from __future__ import annotations

import email.parser
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from cbctl.clients.images.registry import Registry
from cbctl.errors import CbctlError

LARGEST_LAYER = 4 << 30
_LARGEST_FILE = 64 << 20
_STATUS = re.compile(r"var/lib/dpkg/status(\.d/[^/]+)?")
_METADATA = re.compile(r".*\.dist-info/METADATA")
_GONE = ".wh."
_EMPTIED = ".wh..wh..opq"
_NO_IMAGE = "vnd.docker.reference.type"  # annotation in an index


@dataclass(frozen=True, order=True)
class Package:
    """kind: deb, pypi. architecture: of a deb"""

    kind: str
    name: str
    version: str
    architecture: str = ""


def packages(registry: Registry, manifest: dict[str, Any]) -> tuple[Package, ...]:
    """Of an image, on every platform that it is for."""
    found: set[Package] = set()
    for one in _platforms(registry, manifest):
        files: dict[str, bytes] = {}
        for layer in one.get("layers") or ():
            with tempfile.TemporaryFile() as file:
                registry.save(layer["digest"], file, LARGEST_LAYER)
                file.seek(0)
                _lay(files, file, str(layer.get("mediaType", "")))
        found.update(p for name, data in files.items() for p in _read(name, data))
    return tuple(sorted(found))


def _platforms(registry: Registry, manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An index names an image for each of them, and what BuildKit says of how it built them."""
    if "manifests" not in manifest:
        yield manifest
        return
    for one in manifest["manifests"]:
        if _NO_IMAGE not in (one.get("annotations") or {}):
            image = registry.manifest(one["digest"])
            if image is None:
                raise CbctlError(f"the image names {one['digest']}, which the registry has not")
            yield image


def _lay(files: dict[str, bytes], layer: IO[bytes], kind: str) -> None:
    """One layer over those below it: what it removes is theirs, wherever it says so."""
    import zstandard

    own: dict[str, bytes] = {}
    source: Any = layer
    mode = "r|*"
    if kind.endswith("zstd"):
        source, mode = zstandard.ZstdDecompressor().stream_reader(layer), "r|"
    try:
        with tarfile.open(fileobj=source, mode=mode) as tar:  # type: ignore[call-overload]  # r|* or r|
            for entry in tar:
                name = posixpath.normpath(entry.name).lstrip("/")
                folder, _, last = name.rpartition("/")
                if last == _EMPTIED:
                    _remove(files, folder)
                elif last.startswith(_GONE):
                    _remove(files, f"{folder}/{last.removeprefix(_GONE)}".lstrip("/"))
                elif entry.isfile() and (_STATUS.fullmatch(name) or _METADATA.fullmatch(name)):
                    content = tar.extractfile(entry)
                    own[name] = content.read(_LARGEST_FILE) if content else b""
    except (tarfile.TarError, zstandard.ZstdError) as error:
        raise CbctlError(f"a layer of the image cannot be read: {error}") from None
    files.update(own)


def _remove(files: dict[str, bytes], path: str) -> None:
    for name in [name for name in files if name == path or name.startswith(f"{path}/")]:
        del files[name]


def _read(name: str, data: bytes) -> Iterator[Package]:
    text = data.decode(errors="replace")
    if name.endswith("/METADATA"):
        found = email.parser.HeaderParser().parsestr(text)
        if found["Name"] and found["Version"]:
            yield Package("pypi", re.sub(r"[-_.]+", "-", found["Name"]).lower(), found["Version"])
        return
    for paragraph in text.split("\n\n"):
        found = email.parser.HeaderParser().parsestr(paragraph.lstrip("\n"))
        installed = str(found["Status"] or " installed").endswith(" installed")
        if found["Package"] and found["Version"] and installed:
            architecture = str(found["Architecture"] or "")
            yield Package("deb", found["Package"], found["Version"], architecture)
