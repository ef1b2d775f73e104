"""Backups in a bucket of S3.

Sources: Amazon S3 API Reference (PutObject, CreateMultipartUpload, UploadPart, ListParts,
CompleteMultipartUpload, with SHA-256 checksums that S3 itself computes and compares) and its user
guide (a part has 5 MiB or more, an upload has 10,000 parts at most). Region, credentials and
endpoint are those of the AWS configuration of the user.

An upload that was interrupted goes on with the parts that S3 has. The manifest comes last: what
has none is no backup.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.manifest import File, is_id
from cbctl.clients.backups.place import S3, Pause, Progress
from cbctl.errors import CbctlError, Exit

T = TypeVar("T")

PART: Final = 16 * 1024 * 1024
_PARTS: Final = 10_000
_PIECE: Final = 1024 * 1024
_MAY_GO_ON: Final = timedelta(days=1)
_MISSING: Final = ("NoSuchKey", "404", "NotFound")
_HASH: Final = "cbctl-sha256"  # of the whole file, in the object's metadata


class Bucket:
    """`s3://BUCKET/PREFIX/<id>/…`"""

    def __init__(self, client: Any, bucket: str, prefix: str, sealed: dict[str, str]) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._sealed = sealed

    @classmethod
    def open(cls, address: str, *, encryption: str, kms_key: str | None) -> Bucket:
        """Errors: CbctlError: 64 for an address without a bucket, 3 without credentials."""
        bucket, _, prefix = address.removeprefix(S3).partition("/")
        if not bucket:
            raise CbctlError(
                "the address names no bucket",
                exit=Exit.USAGE,
                where=address,
                fix="s3://BUCKET/PREFIX",
            )
        import boto3
        from botocore.config import Config

        limits = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"max_attempts": 5, "mode": "standard"},
        )
        client = _asked(address, lambda: boto3.client("s3", config=limits))
        sealed = {"ServerSideEncryption": encryption}
        if kms_key is not None:
            sealed["SSEKMSKeyId"] = kms_key
        return cls(client, bucket, prefix.strip("/"), sealed)

    def __str__(self) -> str:
        return f"{S3}{self._bucket}/{self._prefix}"

    def ids(self) -> list[str]:
        start = f"{self._prefix}/" if self._prefix else ""
        keys = {str(one["Key"]) for one in self._objects(start)}
        found = {self._id_of(key) for key in keys} - {""}
        return sorted(id for id in found if self._key(id, manifests.NAME) in keys)

    def read(self, id: str, name: str) -> bytes | None:
        answer = self._find(
            lambda: self._client.get_object(Bucket=self._bucket, Key=self._key(id, name))
        )
        return None if answer is None else bytes(self._ask(answer["Body"].read))

    def has_any(self, id: str) -> bool:
        return bool(self._objects(self._key(id, "")))

    def sizes(self, id: str) -> dict[str, int]:
        start = self._key(id, "")
        found = self._objects(f"{start}{manifests.DUMP}/")
        return {str(one["Key"]).removeprefix(start): one["Size"] for one in found}

    def write(self, id: str, name: str, data: bytes) -> None:
        self._ask(
            lambda: self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(id, name),
                Body=data,
                ChecksumSHA256=_digest(data),
                **self._sealed,
            )
        )

    def fetch(self, id: str, file: File, folder: Path, pause: Pause) -> Path | None:
        target = folder / file.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        answer = self._find(
            lambda: self._client.get_object(Bucket=self._bucket, Key=self._key(id, file.path))
        )
        if answer is None:
            return None
        with target.open("wb") as written:
            while piece := self._ask(lambda: answer["Body"].read(_PIECE)):
                written.write(piece)
                pause(0)
        return target

    def stage(self, id: str, scratch: Path) -> Path:
        stage = scratch / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        return stage

    def keep(self, id: str, stage: Path, manifest: bytes, pause: Pause, say: Progress) -> None:
        files = manifests.read(manifest, f"{id}/{manifests.NAME}").files
        done, total = 0, sum(file.size for file in files)
        for file in files:
            say(f"uploading to {self}", done, total)
            pause(0)
            if not self._has(id, file):
                self._upload(id, file, stage / file.path, pause)
            done += file.size
        self.write(id, manifests.NAME, manifest)

    def remove(self, id: str) -> None:
        """The manifest first: from then on it is no backup, however far this gets."""
        self._ask(
            lambda: self._client.delete_object(
                Bucket=self._bucket, Key=self._key(id, manifests.NAME)
            )
        )
        self._delete(id)

    def clean(self, but: str) -> None:
        """Uploads that were begun and objects without a manifest, both of over a day ago: what is
        younger may be the work of another machine."""
        old = datetime.now(UTC) - _MAY_GO_ON
        start = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=start
        )
        for page in self._ask(lambda: list(pages)):
            for one in page.get("Uploads", ()):
                if self._id_of(one["Key"]) not in ("", but) and one["Initiated"] < old:
                    abort = partial(self._client.abort_multipart_upload, Bucket=self._bucket)
                    self._ask(partial(abort, Key=one["Key"], UploadId=one["UploadId"]))
        newest: dict[str, datetime] = {}
        for one in self._objects(start):
            id = self._id_of(one["Key"])
            newest[id] = max(newest.get(id, one["LastModified"]), one["LastModified"])
        for id in set(newest) - {*self.ids(), but, ""}:
            if newest[id] < old:
                self._delete(id)

    # -- one file ---------------------------------------------------------------------------

    def _has(self, id: str, file: File) -> bool:
        """S3 compared the checksum of each part when it took them; ours is of the whole."""
        found = self._find(
            lambda: self._client.head_object(Bucket=self._bucket, Key=self._key(id, file.path))
        )
        return (
            found is not None
            and found["ContentLength"] == file.size
            and found.get("Metadata", {}).get(_HASH) == file.sha256
        )

    def _upload(self, id: str, file: File, path: Path, pause: Pause) -> None:
        key = self._key(id, file.path)
        if file.size <= PART:
            data = path.read_bytes()
            self._ask(
                lambda: self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    ChecksumSHA256=_digest(data),
                    Metadata={_HASH: file.sha256},
                    **self._sealed,
                )
            )
            return
        upload = self._begun(key) or self._begin(key, file)
        size = part_size(file.size)
        there = self._parts(key, upload)
        parts = []
        with path.open("rb") as opened:
            number = 0
            while data := opened.read(size):
                number += 1
                pause(0)
                parts.append(self._part(key, upload, number, data, there.get(number)))
        self._ask(
            lambda: self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        )

    def _part(
        self, key: str, upload: str, number: int, data: bytes, there: dict[str, Any] | None
    ) -> dict[str, Any]:
        digest = _digest(data)
        if there is None or there.get("ChecksumSHA256") != digest:
            there = self._ask(
                lambda: self._client.upload_part(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=data,
                    ChecksumSHA256=digest,
                )
            )
        return {"PartNumber": number, "ETag": there["ETag"], "ChecksumSHA256": digest}

    def _begin(self, key: str, file: File) -> str:
        answer = self._ask(
            lambda: self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ChecksumAlgorithm="SHA256",
                Metadata={_HASH: file.sha256},
                **self._sealed,
            )
        )
        return str(answer["UploadId"])

    def _begun(self, key: str) -> str:
        """The upload of this file that an interrupted run began; "" for none."""
        answer = self._ask(
            lambda: self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=key)
        )
        found = [one["UploadId"] for one in answer.get("Uploads", ()) if one["Key"] == key]
        return str(found[-1]) if found else ""

    def _parts(self, key: str, upload: str) -> dict[int, dict[str, Any]]:
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=key, UploadId=upload
        )
        found = self._ask(lambda: list(pages))
        return {one["PartNumber"]: one for page in found for one in page.get("Parts", ())}

    # -- names and errors -------------------------------------------------------------------

    def _key(self, id: str, name: str) -> str:
        return "/".join((*filter(None, (self._prefix,)), id, name))

    def _id_of(self, key: str) -> str:
        start = f"{self._prefix}/" if self._prefix else ""
        id = key.removeprefix(start).partition("/")[0]
        return id if is_id(id) else ""

    def _objects(self, start: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start
        )
        return [one for page in self._ask(lambda: list(pages)) for one in page.get("Contents", ())]

    def _delete(self, id: str) -> None:
        for one in self._objects(self._key(id, "")):
            delete = partial(self._client.delete_object, Bucket=self._bucket)
            self._ask(partial(delete, Key=one["Key"]))

    def _find(self, call: Callable[[], T]) -> T | None:
        """None for what is not there."""
        from botocore.exceptions import ClientError

        def asked() -> T | None:
            try:
                return call()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _MISSING:
                    return None
                raise

        return self._ask(asked)

    def _ask(self, call: Callable[[], T]) -> T:
        return _asked(str(self), call)


def part_size(size: int) -> int:
    """Whole MiB, so that at most 10,000 parts are enough; the same when an upload goes on."""
    needed = -(-size // _PARTS)
    return max(PART, -(-needed // _PIECE) * _PIECE)


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def _asked(where: str, call: Callable[[], T]) -> T:
    """Raises CbctlError: 3 for what AWS does not allow, 1 for the rest."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        denied = code in ("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch")
        raise CbctlError(
            f"S3 refuses {error.operation_name}: {code}",
            exit=Exit.CREDENTIALS if denied else Exit.FAILED,
            where=where,
            fix="check the bucket's name, its region, and what this AWS identity may do there",
        ) from None
    except BotoCoreError as error:
        missing = type(error).__name__ in ("NoCredentialsError", "ProfileNotFound")
        raise CbctlError(
            f"S3 cannot be asked: {error}",
            exit=Exit.CREDENTIALS if missing else Exit.FAILED,
            where=where,
            fix="check the AWS configuration of this user: credentials, region, endpoint; where a "
            "Job asks, that of its service account or of `jobs.variables_from` in cbctl.yaml",
        ) from None
