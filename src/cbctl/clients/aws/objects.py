"""Small objects in S3 that only ever grow: written whole, with a checksum that S3 compares, and on
the condition that nobody wrote meanwhile.

Source: Amazon S3 API Reference (PutObject with If-Match and If-None-Match, GetObject). Region,
credentials and endpoint are those of the user's AWS configuration.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from cbctl.clients.aws.client import asked, client
from cbctl.errors import CbctlError, Exit

SCHEME = "s3://"
_ABSENT = ("NoSuchKey", "404")
_MOVED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_TRIES = 5


class Objects:
    """`s3://BUCKET/PREFIX/…`

    sealed  how S3 encrypts what is written: parameters of PutObject
    hurry   asked once, for seconds"""

    def __init__(self, address: str, sealed: Mapping[str, str], *, hurry: bool = False) -> None:
        """Raises CbctlError (64) for an address without a bucket."""
        self._bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        if not address.startswith(SCHEME) or not self._bucket:
            raise CbctlError(
                "the address names no bucket of S3",
                exit=Exit.USAGE,
                where=address,
                fix="s3://BUCKET/PREFIX",
            )
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._sealed = sealed
        self._s3 = client("s3", hurry=hurry)

    def close(self) -> None:
        self._s3.close()

    def extend(self, name: str, data: bytes) -> None:
        """What only ever grows, as it is now. Who writes at the same time and knows more, wins.

        Raises CbctlError (10) when another one is there, which this does not go on from."""
        for _ in range(_TRIES):
            there, tag = self._get(name)
            if there is not None and there.startswith(data):
                return
            if there is not None and not data.startswith(there):
                raise CbctlError(
                    "what is there is no beginning of this",
                    exit=Exit.DIFFERS,
                    where=f"{SCHEME}{self._bucket}/{self._prefix}{name}",
                    fix="see who else writes there; put it aside and it is written again",
                )
            if self._put(name, data, tag):
                return
        raise CbctlError("others write it all the time", where=name)

    def read(self, name: str) -> bytes | None:
        """None when there is no such object."""
        return self._get(name)[0]

    def _put(self, name: str, data: bytes, tag: str) -> bool:
        """False when the object is not any more the one of that tag; "": when there is one."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        only = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}

        def put() -> bool:
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + name,
                    Body=data,
                    ChecksumSHA256=digest,
                    **only,
                    **self._sealed,
                )
            except self._s3.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in _MOVED:
                    return False
                raise
            return True

        return bool(asked("s3", put))

    def _get(self, name: str) -> tuple[bytes | None, str]:
        def get() -> tuple[bytes | None, str]:
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except self._s3.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in _ABSENT:
                    return None, ""
                raise
            return bytes(answer["Body"].read()), str(answer["ETag"])

        found: tuple[bytes | None, str] = asked("s3", get)
        return found
