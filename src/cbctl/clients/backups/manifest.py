"""The file that makes a folder a backup: what is in it, of what, and how to hold a copy against it.

It is written last. A folder without it, or with one that is not whole, is no backup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from cbctl.clients.postgres.contents import Contents, Counter, Rows
from cbctl.errors import CbctlError, Exit

NAME: Final = "manifest.json"
PROOF: Final = "verified.json"
DUMP: Final = "dump"
SEALED: Final = ".age"
FORMAT: Final = 1


class File(msgspec.Struct, frozen=True):
    """path: below the backup's folder"""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """
    id, platform, environment, database  what this is a backup of
    made_at          when the snapshot was taken, UTC
    server, tools    versions of Postgres and of pg_dump
    lsn              where the write-ahead log was then
    schema_version   the highest migration that was applied
    who, host, run   who made it
    recipient        whom the files are encrypted for, "" for nobody
    digest           sha256 of all the rest
    """

    format: int
    id: str
    platform: str
    environment: str
    database: str
    made_at: str
    seconds: float
    server: str
    tools: int
    snapshot: str
    lsn: str
    encoding: str
    collate: str
    ctype: str
    schema_version: int
    who: str
    host: str
    run: str
    cbctl: str
    recipient: str
    files: tuple[File, ...]
    tables: Mapping[str, Rows]
    sequences: Mapping[str, Counter]
    objects: Mapping[str, str]
    digest: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def contents(self) -> Contents:
        return Contents(self.tables, self.sequences, self.objects)

    @property
    def has_checksums(self) -> bool:
        return any(table.checksum for table in self.tables.values())


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of restoring a backup and comparing it with its manifest; lies beside it.

    manifest  digest of the manifest that was looked at
    problems  what was not as it says; () when the backup was proved
    """

    at: str
    who: str
    host: str
    server: str
    manifest: str
    problems: tuple[str, ...] = ()


def to_bytes(manifest: Manifest) -> bytes:
    """With its digest."""
    sealed = msgspec.structs.replace(manifest, digest=digest_of(manifest))
    return json.dumps(msgspec.to_builtins(sealed), indent=1, sort_keys=True).encode() + b"\n"


def digest_of(manifest: Manifest) -> str:
    plain = msgspec.to_builtins(msgspec.structs.replace(manifest, digest=""))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(data: bytes, where: str) -> Manifest:
    """Raises CbctlError: 10 when it is damaged, 7 when a newer cbctl wrote it."""
    try:
        content = json.loads(data)
        written = content["format"] if isinstance(content, dict) else None
        if isinstance(written, int) and written > FORMAT:
            raise CbctlError(
                f"the backup has format {written}, and this cbctl reads {FORMAT}",
                exit=Exit.REFUSED,
                where=where,
                fix="use the cbctl that made it, or a newer one",
            )
        found = msgspec.convert(content, Manifest)
    except (ValueError, KeyError, RecursionError) as error:
        raise _damaged(where, _first_line(error)) from None
    if digest_of(found) != found.digest:
        raise _damaged(where, "what it says has not the digest that it names")
    if any(_escapes(file.path) for file in found.files):
        raise _damaged(where, "it names a file outside of the backup")
    return found


def _escapes(path: str) -> bool:
    return Path(path).is_absolute() or ".." in Path(path).parts


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _damaged(where: str, why: str) -> CbctlError:
    return CbctlError(
        f"the manifest is damaged: {why}",
        exit=Exit.DIFFERS,
        where=where,
        fix="this backup cannot be relied on: take another one",
    )
