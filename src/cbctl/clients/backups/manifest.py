"""The file that makes a folder a backup: what is in it, of what, and how to hold a copy against it.

It is written last. A folder without it, or with one that is not whole, is no backup. Whoever may
write to the place may write a manifest, and its digest keeps nobody from that: what does not have
the form in which it is written here is read by nobody.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from cbctl.clients.postgres.contents import Contents, Counter, Rows
from cbctl.clients.postgres.tools import major_of
from cbctl.errors import CbctlError, Exit

NAME: Final = "manifest.json"
PROOF: Final = "verified.json"
DUMP: Final = "dump"
SEALED: Final = ".age"
FORMAT: Final = 1

_ID: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-z]{6}")
_ID_AT: Final = "%Y%m%dT%H%M%SZ"
_MADE_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_FILE: Final = re.compile(rf"{DUMP}/[0-9A-Za-z_][0-9A-Za-z_.]{{0,99}}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class File(msgspec.Struct, frozen=True):
    """path: below the backup's folder"""

    path: str
    size: _Count
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
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    server: str
    tools: Annotated[int, msgspec.Meta(ge=1, le=999)]
    snapshot: str
    lsn: str
    encoding: str
    collate: str
    ctype: str
    schema_version: _Count
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
    def made(self) -> float:
        """Seconds since the epoch."""
        return _time(self.made_at).timestamp()

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


def is_id(text: str) -> bool:
    found = _ID.fullmatch(text)
    try:
        return found is not None and bool(datetime.strptime(found[1], _ID_AT))
    except ValueError:
        return False


def read(data: bytes, where: str) -> Manifest:
    """Raises CbctlError: 10 when it is damaged, 7 when a newer cbctl wrote it."""
    try:
        content = json.loads(data, parse_constant=_no_number)
        written = content["format"] if isinstance(content, dict) else None
        if isinstance(written, int) and written > FORMAT:
            raise CbctlError(
                f"the backup has format {written}, and this cbctl reads {FORMAT}",
                exit=Exit.REFUSED,
                where=where,
                fix="use the cbctl that made it, or a newer one",
            )
        found = msgspec.convert(content, Manifest)
        msgspec.json.encode(found)  # what it says can be written down again
    except (ValueError, KeyError, RecursionError) as error:
        raise damaged(where, _first_line(error)) from None
    if digest_of(found) != found.digest:
        raise damaged(where, "what it says has not the digest that it names")
    if why := _malformed(found):
        raise damaged(where, why)
    return found


def _malformed(found: Manifest) -> str:
    """What is not as `make` writes it."""
    if not is_id(found.id):
        return "its id is none"
    try:
        if _written(_time(found.made_at)) != found.made_at:
            raise ValueError
    except ValueError:
        return "it does not say when it was made"
    if not major_of(found.server):
        return "it does not say of which server it is"
    paths = [file.path for file in found.files]
    if len(set(paths)) < len(paths):
        return "it names a file twice"
    if not all(_FILE.fullmatch(path) for path in paths):
        return "it names a file that no backup has"
    if not all(_SHA256.fullmatch(file.sha256) for file in found.files):
        return "it names a file without its hash"
    if any(table.rows < 0 for table in found.tables.values()):
        return "it counts less than no rows"
    return ""


def _time(made_at: str) -> datetime:
    return datetime.strptime(made_at, _MADE_AT).replace(tzinfo=UTC)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def damaged(where: str, why: str) -> CbctlError:
    return CbctlError(
        f"the manifest is damaged: {why}",
        exit=Exit.DIFFERS,
        where=where,
        fix="this backup cannot be relied on: take another one",
    )
