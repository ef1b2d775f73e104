"""Backups in S3, by moto's server."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.db.backup_house import BackupHouse, house_on, nothing_in_scratch
from tests.integration.db.conftest import Database
from tests.testbed.forked import Forked
from tests.testbed.s3 import s3_client, s3_server

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.s3 import PART, part_size

BUCKET, PREFIX = "kept", "here/test-house/dev/"


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def bucket(s3: dict[str, str]) -> Any:
    client = s3_client(s3)
    client.create_bucket(Bucket=BUCKET)
    yield client
    for one in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
        client.abort_multipart_upload(Bucket=BUCKET, Key=one["Key"], UploadId=one["UploadId"])
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def house(
    tmp_path: Path, forked: Forked, one_database: Database, s3: dict[str, str], bucket: Any
) -> BackupHouse:
    made = house_on(tmp_path, forked, one_database)
    made.more = s3
    made.settings(f"backups: {{ to: s3://{BUCKET}/here }}")
    return made


def keys(bucket: Any) -> list[str]:
    found = bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return [one["Key"].removeprefix(PREFIX) for one in found]


def fill(house: BackupHouse, megabytes: int) -> None:
    """What does not compress, so that a file of the dump has several parts."""
    house.database.do(
        "create table noise (data bytea); alter table noise alter data set storage external"
    )
    house.database.do(
        "insert into noise select string_agg(sha256((n || '/' || m)::text::bytea), '') "
        f"from generate_series(1, {megabytes}) n, generate_series(1, 32768) m group by n"
    )


def test_made_listed_proved_damaged(house: BackupHouse, bucket: Any) -> None:
    made = house.db("backup", "--yes", "-o", "json").json["outcome"]
    id = made["backup"]
    assert f"{id}/manifest.json" in keys(bucket) and f"{id}/dump/toc.dat" in keys(bucket)
    toc = f"{PREFIX}{id}/dump/toc.dat"
    assert bucket.head_object(Bucket=BUCKET, Key=toc)["ServerSideEncryption"] == "AES256"
    house.db("verify-backup")
    (row,) = house.db("backups", "-o", "json").json
    assert row["verified"]
    data = bucket.get_object(Bucket=BUCKET, Key=toc)["Body"].read()
    bucket.put_object(Bucket=BUCKET, Key=toc, Body=data[:-1] + b"?")
    assert "table of contents" in house.db("verify-backup", exit=10).out
    bucket.delete_object(Bucket=BUCKET, Key=toc)
    assert "table of contents (dump/toc.dat) is missing" in house.db("verify-backup", exit=10).out
    nothing_in_scratch(house)


def test_no_bucket_is_one_clear_error(house: BackupHouse, bucket: Any) -> None:
    assert "names no bucket" in house.db("backups", "--in", "s3:///x", exit=64).err
    told = house.db("backup", "--yes", "--to", "s3://absent/x", exit=5)
    assert "NoSuchBucket" in told.err


def upload_killed(house: BackupHouse, bucket: Any) -> str:
    """kill -9 once S3 has a part of the large file; the upload's id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cbctl", "db", "backup", "--yes"],
        cwd=house.folder,
        env=house.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 200
    while True:
        assert process.poll() is None and time.monotonic() < end
        for one in bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
            parts = bucket.list_parts(Bucket=BUCKET, Key=one["Key"], UploadId=one["UploadId"])
            if len(parts.get("Parts", ())) >= 1:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                return str(one["UploadId"])


def test_a_killed_upload_goes_on(house: BackupHouse, bucket: Any) -> None:
    fill(house, 3 * PART // 2**20)
    begun = upload_killed(house, bucket)
    assert "no backup yet" in house.db("backups").out
    house.process("resume", "--env", "dev", "--yes")
    assert begun and not bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    (row,) = house.db("backups", "-o", "json").json
    manifest = manifests.read(
        bucket.get_object(Bucket=BUCKET, Key=f"{PREFIX}{row['backup']}/manifest.json")[
            "Body"
        ].read(),
        "",
    )
    for file in manifest.files:
        key = f"{PREFIX}{row['backup']}/{file.path}"
        data = bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert hashlib.sha256(data).hexdigest() == file.sha256, key
    nothing_in_scratch(house)


@pytest.mark.nightly
def test_after_a_killed_upload_another_backup_is_made(house: BackupHouse, bucket: Any) -> None:
    """What it left counts for nothing."""
    fill(house, 3 * PART // 2**20)
    upload_killed(house, bucket)
    house.process("db", "backup", "--yes")
    assert len(house.db("backups", "-o", "json").json) == 1
    house.process("db", "verify-backup")
    nothing_in_scratch(house)


def test_parts_are_few_enough_and_the_same_each_time() -> None:
    assert part_size(1) == part_size(PART * 10_000) == PART
    for size in (PART * 10_000 + 1, 10**12, 5 * 10**12):
        assert -(-size // part_size(size)) <= 10_000 and part_size(size) % 2**20 == 0
