"""The bill of materials of an image, in CycloneDX 1.6 JSON: the same image gives the same bytes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from cbctl.clients.images.contents import Package
from cbctl.clients.images.name import Name

KIND = "application/vnd.cyclonedx+json"
_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of RFC 9562 for URLs


def bill(image: Name, digest: str, packages: Iterable[Package]) -> bytes:
    """image: its repository; digest: what it is"""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    name = image.path.rpartition("/")[2]
    url = PackageURL("oci", None, name, digest, {"repository_url": image.repository})
    subject = Component(
        name=name, type=ComponentType.CONTAINER, version=digest, purl=url, bom_ref=str(url)
    )
    made = Bom(serial_number=uuid.uuid5(_SPACE, image.by(digest)))
    made.metadata.component = subject
    parts = []
    for package in packages:
        place = "debian" if package.kind == "deb" else None
        more = {"arch": package.architecture} if package.architecture else None
        purl = PackageURL(package.kind, place, package.name, package.version, more)
        parts.append(
            Component(
                name=package.name,
                version=package.version,
                type=ComponentType.LIBRARY,
                purl=purl,
                bom_ref=str(purl),
            )
        )
    made.components.update(parts)
    made.register_dependency(subject, parts)
    written = JsonV1Dot6(made).output_as_string(indent=1)
    return _without_time(written)


def _without_time(written: str) -> bytes:
    """When it was made is no fact about the image, and would make two of one."""
    import json

    found = json.loads(written)
    found["metadata"].pop("timestamp", None)
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()
