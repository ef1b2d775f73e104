"""A registry of images, asked by HTTP.

Source: OCI Distribution Specification 1.1 (manifests, blobs, referrers and their fallback by tag);
Docker Registry v2 authentication (Bearer tokens of the server that the challenge names).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from cbctl.clients.images.name import Name
from cbctl.config.types import Secret
from cbctl.config.urls import is_loopback_host
from cbctl.errors import CbctlError, Exit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_ACCEPTED = ", ".join(
    (
        MANIFEST,
        INDEX,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
SECONDS = 15.0  # that one request may take to begin its answer
LARGEST_MANIFEST = 4 << 20
_REDIRECTS = 5
Keep = Callable[[bytes], object]
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class NoAnswer(CbctlError):
    """Nobody answers usably: whether an image is there is not known."""


class Registry:
    """
    name   any image of the repository that is asked
    login  user and password; None: as anybody
    """

    def __init__(self, name: Name, login: tuple[str, Secret] | None = None) -> None:
        import ssl

        import httpcore

        self._name, self._login = name, login
        self._root = f"{'http' if name.is_plain else 'https'}://{_host(name.registry)}/v2"
        self._authorization = ""
        self._pool = httpcore.ConnectionPool(ssl_context=ssl.create_default_context())

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    # -- what is there ------------------------------------------------------------------------

    def digest(self, reference: str) -> str | None:
        """What a tag means now, or the digest itself; None when it is not there."""
        answer = self._call("HEAD", f"manifests/{reference}", {"Accept": _ACCEPTED}, missing=True)
        if answer is None:
            return None
        headers, _ = answer
        if found := headers.get("docker-content-digest"):
            return found
        content = self._manifest(reference)
        return None if content is None else _sha256(content)

    def manifest(self, reference: str) -> dict[str, Any] | None:
        """None when it is not there. Raises CbctlError (10) when it is not what was asked for."""
        content = self._manifest(reference)
        if content is None:
            return None
        if reference.startswith("sha256:") and _sha256(content) != reference:
            raise self._changed(reference)
        return self._described(content)

    def blob(self, digest: str, most: int) -> bytes:
        """At most so many bytes of it, compared with the digest."""
        answer = self._call("GET", f"blobs/{digest}", {}, most=most)
        assert answer is not None
        if _sha256(answer[1]) != digest:
            raise self._changed(digest)
        return answer[1]

    def save(self, digest: str, file: IO[bytes], most: int) -> None:
        """Like `blob`, for what is too large to be held in memory."""
        total = hashlib.sha256()

        def keep(part: bytes) -> None:
            total.update(part)
            file.write(part)

        self._call("GET", f"blobs/{digest}", {}, most=most, keep=keep)
        if f"sha256:{total.hexdigest()}" != digest:
            raise self._changed(digest)

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """What says it belongs to that image: descriptors with an `artifactType`."""
        answer = self._call("GET", f"referrers/{digest}", {"Accept": INDEX}, missing=True)
        content = answer[1] if answer else self._manifest(_fallback(digest))
        return (self._described(content).get("manifests") or []) if content else []

    # -- what is added ------------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        digest = _sha256(data)
        if self._call("HEAD", f"blobs/{digest}", {}, missing=True) is not None:
            return digest
        started = self._call("POST", "blobs/uploads/", {})
        assert started is not None
        place = urljoin(f"{self._root}/", started[0]["location"])
        joined = f"{place}{'&' if '?' in place else '?'}digest={quote(digest)}"
        self._call("PUT", joined, {"Content-Type": "application/octet-stream"}, data)
        return digest

    def attach(self, subject: str, kind: str, data: bytes, about: Mapping[str, str]) -> str:
        """Adds `data` as what belongs to the image `subject`; the digest by which it is found.

        kind  media type of the data"""
        there = self._call("HEAD", f"manifests/{subject}", {"Accept": _ACCEPTED})
        assert there is not None
        blob = {"mediaType": kind, "digest": self.put_blob(data), "size": len(data)}
        empty = {"mediaType": EMPTY, "digest": self.put_blob(b"{}"), "size": 2}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": empty,
            "layers": [blob],
            "subject": {
                "mediaType": there[0].get("content-type", MANIFEST),
                "digest": subject,
                "size": int(there[0].get("content-length", 0)),
            },
            "annotations": dict(about),
        }
        content = json.dumps(manifest, separators=(",", ":")).encode()
        digest = _sha256(content)
        answer = self._call("PUT", f"manifests/{digest}", {"Content-Type": MANIFEST}, content)
        assert answer is not None
        if "oci-subject" not in answer[0]:  # the registry keeps no list of its own
            mine = {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(content),
                "artifactType": kind,
                "annotations": dict(about),
            }
            self._list(subject, mine)
        return digest

    def _list(self, subject: str, mine: dict[str, Any]) -> None:
        others = [one for one in self.referrers(subject) if one.get("digest") != mine["digest"]]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, mine]}
        content = json.dumps(index, separators=(",", ":")).encode()
        self._call("PUT", f"manifests/{_fallback(subject)}", {"Content-Type": INDEX}, content)

    # -- requests -----------------------------------------------------------------------------

    def _manifest(self, reference: str) -> bytes | None:
        path = f"manifests/{reference}"
        answer = self._call("GET", path, {"Accept": _ACCEPTED}, missing=True, most=LARGEST_MANIFEST)
        return answer[1] if answer else None

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        missing: bool = False,
        most: int = LARGEST_MANIFEST,
        keep: Keep | None = None,
    ) -> tuple[dict[str, str], bytes] | None:
        """Headers, by lower-case names, and body; None for 404 where that may be (`missing`)."""
        url = path if "://" in path else f"{self._root}/{self._name.path}/{path}"
        status, found, body = self._once(method, url, headers, content, most, keep)
        if status == 401:
            self._authorization = self._authorized(found.get("www-authenticate", ""))
            status, found, body = self._once(method, url, headers, content, most, keep)
        if status == 404 and missing:
            return None
        if status in (401, 403):
            raise CbctlError(
                f"the registry does not let us {'read' if method in ('GET', 'HEAD') else 'write'}"
                f" {self._name.path} (HTTP {status})",
                exit=Exit.CREDENTIALS,
                where=self._name.registry,
                fix=f"sign in: docker login {self._name.registry} (podman and buildah the same)",
            )
        if status >= 500 or status == 429:
            raise NoAnswer(f"the registry answers HTTP {status}", where=self._name.registry)
        if status >= 400:
            raise CbctlError(
                f"the registry refuses {method} {path.partition('?')[0]}: {_told(status, body)}",
                where=self._name.repository,
            )
        return found, body

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        most: int,
        keep: Keep | None,
    ) -> tuple[int, dict[str, str], bytes]:
        own = {"User-Agent": "cbctl", **headers}
        for _ in range(_REDIRECTS):
            # What the registry sends us elsewhere for (a bucket) is not shown who we are.
            if self._authorization and urlsplit(url).netloc == urlsplit(self._root).netloc:
                own["Authorization"] = self._authorization
            else:
                own.pop("Authorization", None)
            status, found, body = self._request(method, url, own, content, most, keep)
            if status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD"):
                return status, found, body
            url = urljoin(url, found.get("location", ""))
            if urlsplit(url).scheme != "https" and not self._name.is_plain:
                raise CbctlError(
                    "the registry sends us to a place without TLS", where=self._name.registry
                )
        raise NoAnswer("the registry sends us in circles", where=self._name.registry)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        most: int,
        keep: Keep | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
        length = {"Content-Length": str(len(content or b""))} if method in ("PUT", "POST") else {}
        with (
            self._failures(),
            self._pool.stream(
                method,
                url,
                headers=[(k.encode(), v.encode()) for k, v in {**headers, **length}.items()],
                content=content or b"",
                extensions={"timeout": limits},
            ) as response,
        ):
            body, size = bytearray(), 0
            take = keep if keep and response.status == 200 else body.extend
            for part in response.iter_stream():
                size += len(part)
                take(part)
                if size > most:
                    raise CbctlError(
                        f"the registry's answer is larger than {most} bytes",
                        where=self._name.repository,
                    )
            told = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
            return response.status, told, bytes(body)

    def _authorized(self, challenge: str) -> str:
        """The header that the registry asks for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return self._basic()
        given = dict(_CHALLENGE.findall(rest))
        realm = urlsplit(given.get("realm", ""))
        safe = realm.scheme == "https" or is_loopback_host(realm.hostname or "")
        if scheme.lower() != "bearer" or not safe:
            raise CbctlError(
                "the registry asks us to sign in in a way that is not known, or without TLS",
                exit=Exit.CREDENTIALS,
                where=self._name.registry,
            )
        query = {k: v for k, v in given.items() if k in ("service", "scope")}
        url = f"{given['realm']}{'&' if realm.query else '?'}{urlencode(query)}"
        headers = {"Authorization": self._basic()} if self._login else {}
        status, _, body = self._request("GET", url, headers, None, LARGEST_MANIFEST)
        answer = self._json(body) if status == 200 else {}
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise CbctlError(
                f"the registry's sign-in refuses us (HTTP {status})",
                exit=Exit.CREDENTIALS,
                where=realm.hostname or self._name.registry,
                fix=f"sign in: docker login {self._name.registry} (podman and buildah the same)",
            )
        return f"Bearer {token}"

    def _basic(self) -> str:
        if self._login is None:
            return ""
        user, password = self._login
        pair = f"{user}:{password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @contextmanager
    def _failures(self) -> Iterator[None]:
        import ssl

        import httpcore

        try:
            yield
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            cause = error.__cause__ or error.__context__
            what = type(error).__name__
            if isinstance(cause, ssl.SSLCertVerificationError):
                what = f"its certificate is not valid: {cause.verify_message}"
            raise NoAnswer(
                f"the registry does not answer ({what})",
                where=self._name.registry,
                fix="check the name and the network",
            ) from None

    def _json(self, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise CbctlError("the registry's answer is no JSON", where=self._name.repository)
        return found

    def _described(self, content: bytes) -> dict[str, Any]:
        """A manifest or an index, of which each part is a descriptor."""
        found = self._json(content)
        for parts in (found.get("layers"), found.get("manifests")):
            if parts is not None and not (
                isinstance(parts, list) and all(_is_descriptor(one) for one in parts)
            ):
                raise CbctlError(
                    "the registry's answer describes no image", where=self._name.repository
                )
        return found

    def _changed(self, digest: str) -> CbctlError:
        return CbctlError(
            f"what the registry gives for {digest} is something else",
            exit=Exit.DIFFERS,
            where=self._name.repository,
        )


def _is_descriptor(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and isinstance(part.get("digest"), str)
        and isinstance(part.get("annotations") or {}, dict)
    )


def _host(registry: str) -> str:
    return "registry-1.docker.io" if registry == "docker.io" else registry


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _fallback(digest: str) -> str:
    """The tag that lists what belongs to an image, where the registry itself does not."""
    return digest.replace(":", "-")


def _told(status: int, body: bytes) -> str:
    try:
        errors = json.loads(body)["errors"]
        return "; ".join(f"{one.get('code')}: {one.get('message')}" for one in errors)[:500]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {status}"
