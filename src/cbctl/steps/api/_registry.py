"""What the registry says of an image before it is rolled out."""

from __future__ import annotations

from pathlib import Path

from cbctl.errors import CbctlError, Exit


def require(image: str, repository: str, by: str, key: Path | None, provenance: bool) -> str:
    """Raises CbctlError: 64 for an image that is named by a tag, 7 for one that is not in its
    registry or not signed. Returns what was found, for people.

    repository  that of the service's images; "": none is set, and no registry is asked
    by          host:port by which its registry is reached
    key         only what it signed may run; None: anything
    """
    from cbctl.clients.images.name import parse

    name = parse(image)
    known = repository and parse(repository)
    here = by if known and known.registry == name.registry else ""
    if not name.digest:
        raise _by_tag(image, here)
    if not repository and key is None:
        return "not looked up: cbctl.yaml has no `images.api`"
    from cbctl.clients.images import signature
    from cbctl.clients.images.registry import NoAnswer
    from cbctl.steps.api._image import registry_of

    with registry_of(name, here) as registry:
        try:
            there = registry.digest(name.digest)
        except NoAnswer as error:
            raise CbctlError(
                f"whether the image is there is not known: {error.what}",
                exit=Exit.REFUSED,
                where=error.where,
                fix=error.fix,
            ) from None
        if there is None:
            raise CbctlError(
                "is not in the registry",
                exit=Exit.REFUSED,
                where=image,
                fix="push it first: cbctl api push prints the digest",
            )
        if key is None:
            return "in its registry"
        try:
            pem = key.read_bytes()
        except OSError as error:
            raise CbctlError(
                f"the key cannot be read ({error.strerror})", exit=Exit.USAGE, where=str(key)
            ) from None
        public = signature.Key(pem, str(key))
        signature.require_signature(registry, name, public)
        if provenance:
            signature.require_provenance(registry, name, public)
    return "in its registry, signed"


def _by_tag(image: str, by: str) -> CbctlError:
    """With what the tag means now, where that can be told."""
    from cbctl.clients.images.name import parse
    from cbctl.steps.api._image import registry_of

    name = parse(image)
    fix = "name it name@sha256:…; cbctl api push prints the digest"
    try:
        with registry_of(name, by) as registry:
            digest = registry.digest(name.reference)
    except CbctlError:
        digest = None
    if digest:
        fix = f"what it means now: {name.by(digest)}"
    return CbctlError(
        f"the image {image} is not named by its digest, and a tag may mean another one tomorrow",
        exit=Exit.USAGE,
        fix=fix,
    )
