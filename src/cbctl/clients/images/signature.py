"""Whether an image was signed with a key, as cosign signs: beside the image, in its repository.

Source: sigstore's "Cosign Signature Specifications" (simple signing, tag `sha256-….sig`, ECDSA
P-256 over SHA-256 of the payload); DSSE's pre-authentication encoding and in-toto Statement v1 for
attestations (tag `sha256-….att`); SLSA Provenance.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from cbctl.clients.images.name import Name, parse
from cbctl.clients.images.registry import Registry
from cbctl.errors import CbctlError, Exit

_SIGNATURE = "dev.cosignproject.cosign/signature"
_SIMPLE = "cosign container image signature"
_IN_TOTO = "application/vnd.in-toto+json"
_PROVENANCE = "https://slsa.dev/provenance/"
_LARGEST = 16 << 20


class Key:
    """A public key: PEM of ECDSA on P-256, as `cosign generate-key-pair` makes it."""

    def __init__(self, pem: bytes, where: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(pem)
        except ValueError:
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise CbctlError(
                "this is no public key of cosign (PEM, ECDSA on P-256)",
                exit=Exit.USAGE,
                where=where,
            )
        self._key = key

    def signed(self, signature: str, content: bytes) -> bool:
        """signature: base64 of the DER form"""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            raw = base64.b64decode(signature, validate=True)
            self._key.verify(raw, content, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, binascii.Error):
            return False
        return True


def require_signature(registry: Registry, image: Name, key: Key) -> None:
    """Raises CbctlError (7) unless the key signed this digest for this repository: what was signed
    for development's is not signed for production's."""
    wrong = "it has no signature"
    for layer in _layers(registry, image, "sig"):
        wrong = "none of its signatures is by the key that policy names and for this repository"
        payload = registry.blob(str(layer.get("digest")), _LARGEST)
        signature = str((layer.get("annotations") or {}).get(_SIGNATURE, ""))
        if key.signed(signature, payload) and _is_of(payload, image):
            return
    raise _refused(image, wrong, "cosign sign --key …")


def require_provenance(registry: Registry, image: Name, key: Key) -> None:
    """Raises CbctlError (7) unless the key signed a statement of how this digest was built."""
    wrong = "nothing says how it was built"
    for layer in _layers(registry, image, "att"):
        wrong = "no statement of how it was built is signed by the key that policy names"
        statement = _statement(registry.blob(str(layer.get("digest")), _LARGEST), key)
        if statement is not None and _says_how_built(statement, image):
            return
    raise _refused(image, wrong, "cosign attest --type slsaprovenance1 --key …")


def _layers(registry: Registry, image: Name, kind: str) -> Iterator[dict[str, Any]]:
    manifest = registry.manifest(f"{image.digest.replace(':', '-')}.{kind}") or {}
    yield from manifest.get("layers") or ()


def _is_of(payload: bytes, image: Name) -> bool:
    critical = _object(payload).get("critical") or {}
    digest = (critical.get("image") or {}).get("docker-manifest-digest")
    reference = (critical.get("identity") or {}).get("docker-reference")
    try:
        same = parse(str(reference)).repository == image.repository
    except CbctlError:
        same = False
    return critical.get("type") == _SIMPLE and digest == image.digest and same


def _statement(envelope: bytes, key: Key) -> dict[str, Any] | None:
    """What a DSSE envelope holds, when the key signed it."""
    found = _object(envelope)
    try:
        payload = base64.b64decode(str(found.get("payload")), validate=True)
    except binascii.Error:
        return None
    kind = str(found.get("payloadType"))
    signed = b" ".join((b"DSSEv1", b"%d" % len(kind), kind.encode(), b"%d" % len(payload), payload))
    given = [one.get("sig") for one in found.get("signatures") or () if isinstance(one, dict)]
    if kind != _IN_TOTO or not any(key.signed(str(one), signed) for one in given):
        return None
    return _object(payload)


def _says_how_built(statement: dict[str, Any], image: Name) -> bool:
    subjects = statement.get("subject") or ()
    digests = [(one.get("digest") or {}).get("sha256") for one in subjects if isinstance(one, dict)]
    kind = str(statement.get("predicateType"))
    return kind.startswith(_PROVENANCE) and image.digest.removeprefix("sha256:") in digests


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(image: Name, why: str, command: str) -> CbctlError:
    return CbctlError(
        f"the policy asks for a signed image: {why}",
        exit=Exit.REFUSED,
        where=str(image),
        fix=f"sign it where it is built: {command} {image}",
    )
