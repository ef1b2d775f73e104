"""Small objects in S3: written whole, with a checksum that S3 compares, and read whole.

Source: Amazon S3 API Reference (PutObject, GetObject). Region, credentials and endpoint are those
of the user's AWS configuration.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cbctl.clients.aws.client import asked, client
from cbctl.errors import CbctlError, Exit

SCHEME = "s3://"
_ABSENT = ("NoSuchKey", "404")


class Objects:
    """`s3://BUCKET/PREFIX/…`

    sealed  how S3 encrypts what is written: parameters of PutObject"""

    def __init__(self, address: str, sealed: Mapping[str, str]) -> None:
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
        self._s3 = client("s3")

    def write(self, name: str, data: bytes) -> None:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()

        def put() -> Any:
            return self._s3.put_object(
                Bucket=self._bucket,
                Key=self._prefix + name,
                Body=data,
                ChecksumSHA256=digest,
                **self._sealed,
            )

        asked("s3", put)

    def read(self, name: str) -> bytes | None:
        """None when there is no such object."""

        def get() -> bytes | None:
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except self._s3.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in _ABSENT:
                    return None
                raise
            return bytes(answer["Body"].read())

        found: bytes | None = asked("s3", get)
        return found
