"""What the registry says of an image before it is rolled out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.images.name import Name
    from cbctl.clients.images.registry import Registry


_UNSET = "not looked up: cbctl.yaml does not say where `images.api` are"


def require(image: str, repository: str, by: str, key: Path | None, provenance: bool) -> str:
    """Raises CbctlError: 64 for an image that is named by a tag, 7 for one that is not in its
    registry or not signed. Returns what was found, for people.

    repository  that of the service's images; "": none is set, and no registry is asked
    by          host:port by which its registry is reached
    key         only what it signed may run; None: anything
    """
    from cbctl.clients.images import signature
    from cbctl.clients.images.name import parse
    from cbctl.clients.images.registry import NoAnswer

    name = parse(image)
    if not name.digest:
        raise _by_tag(name, repository, by)
    if not repository and key is None:
        return _UNSET
    with _asked(name, repository, by) as registry:
        try:
            _require_there(registry, name)
        except NoAnswer as error:
            raise CbctlError(
                f"whether the image is there is not known: {error.what}",
                exit=Exit.REFUSED,
                where=error.where,
                fix=error.fix,
            ) from None
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


def look(image: str, repository: str, by: str) -> str:
    """For the way back, which no registry holds up that does not answer, or not us. Raises
    CbctlError (7) only for an image that is not there."""
    from cbctl.clients.images.name import parse

    if not repository:
        return _UNSET
    name = parse(image)
    try:
        with _asked(name, repository, by) as registry:
            _require_there(registry, name)
    except CbctlError as error:
        if error.exit is Exit.REFUSED:
            raise
        return f"not looked up: {error}"
    return "in its registry"


def _asked(name: Name, repository: str, by: str) -> Registry:
    """The registry of the image, by its own way where that is the service's."""
    from cbctl.clients.images.name import parse
    from cbctl.steps.api._image import registry_of

    same = bool(repository) and parse(repository).registry == name.registry
    return registry_of(name, by if same else "")


def _require_there(registry: Registry, name: Name) -> None:
    if registry.digest(name.reference) is None:
        raise CbctlError(
            "is not in the registry",
            exit=Exit.REFUSED,
            where=str(name),
            fix="push it first: cbctl api push prints the digest",
        )


def _by_tag(name: Name, repository: str, by: str) -> CbctlError:
    """With what the tag means now, where that can be told."""
    fix = "name it name@sha256:…; cbctl api push prints the digest"
    try:
        with _asked(name, repository, by) as registry:
            digest = registry.digest(name.reference)
    except CbctlError:
        digest = None
    if digest:
        fix = f"what it means now: {name.by(digest)}"
    return CbctlError(
        f"the image {name} is not named by its digest, and a tag may mean another one tomorrow",
        exit=Exit.USAGE,
        fix=fix,
    )
