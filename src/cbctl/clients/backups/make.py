"""Takes a backup: a dump and the counts of its tables, both from one exported snapshot."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cbctl.clients import age
from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.count import counted, counting
from cbctl.clients.backups.files import hashed
from cbctl.clients.backups.manifest import DUMP, SEALED, Manifest
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import failed
from cbctl.clients.postgres.contents import (
    Contents,
    read_sequences,
    snapshot_session,
)
from cbctl.clients.postgres.ledger import reached, survey
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.tools import Tools, Work, connection_words, run_tool
from cbctl.errors import CbctlError


@dataclass(frozen=True)
class Told:
    """What a manifest says beside what the database does."""

    id: str
    platform: str
    environment: str
    who: str
    host: str
    run: str
    cbctl: str


def make(
    address: Address,
    tools: Tools,
    work: Work,
    told: Told,
    stage: Path,
    *,
    recipient: str = "",
    checksums: bool = True,
) -> Manifest:
    """Puts a backup together in `stage`, which is empty.

    work.folder  a private one; the plain dump lies there until it is encrypted
    """
    import psycopg

    started = time.monotonic()
    dump = (work.folder if recipient else stage) / DUMP
    try:
        # Open to the end: other sessions see its snapshot only as long as it lasts.
        with snapshot_session(address) as session:
            (snapshot,) = _one(
                session.execute(b"select pg_catalog.pg_export_snapshot()").fetchone()
            )
            about = _one(session.execute(query("backup_about")).fetchone())
            with snapshot_session(address, str(snapshot), as_is=True) as other:
                version_reached = reached(survey(other, address).applied)
            # Before the dump: it reads them later, and may find them further on, but never behind.
            sequences = read_sequences(session)
            contents = _dumped(address, tools, work, dump, str(snapshot), checksums)
    except psycopg.Error as error:
        raise failed(error, address, "cannot take a snapshot") from None
    work.progress("hashing the files")
    files = [path for path in sorted(dump.iterdir()) if path.is_file()]
    if recipient:
        files = _sealed(files, stage / DUMP, recipient, work)
    version, _, made_at, lsn, encoding, collate, ctype, _ = about
    return Manifest(
        format=manifests.FORMAT,
        id=told.id,
        platform=told.platform,
        environment=told.environment,
        database=address.database,
        made_at=made_at,
        seconds=round(time.monotonic() - started, 3),
        server=str(version).split()[0],
        tools=tools.major,
        snapshot=str(snapshot),
        lsn=lsn,
        encoding=encoding,
        collate=collate,
        ctype=ctype,
        schema_version=version_reached,
        who=told.who,
        host=told.host,
        run=told.run,
        cbctl=told.cbctl,
        recipient=recipient,
        files=tuple(hashed(files, stage, work.jobs, work.pause)),
        tables=contents.tables,
        sequences=sequences,
        objects=contents.objects,
    )


def _dumped(
    address: Address, tools: Tools, work: Work, dump: Path, snapshot: str, checksums: bool
) -> Contents:
    """Both at the same time; when one fails the other is not waited for."""
    words = [tools.dump, "-Fd", "-j", str(work.jobs), f"--snapshot={snapshot}"]
    words += ["--lock-wait-timeout=60000", "--no-password", f"--file={dump}"]
    words += [f"--dbname={connection_words(address)}"]
    work.progress(f"dumping {address.database}")
    with counting(address, snapshot=snapshot, checksums=checksums, sessions=work.jobs) as found:

        def pause(seconds: float) -> None:
            work.pause(seconds)
            if found.done():
                found.result()

        run_tool(words, address, replace(work, pause=pause))
        return counted(found, work.pause)


def _sealed(files: list[Path], folder: Path, recipient: str, work: Work) -> list[Path]:
    """Each encrypted into `folder`; the plain one is removed at once."""
    folder.mkdir(mode=0o700)
    sealed = []
    for number, file in enumerate(files, 1):
        work.progress("encrypting", number, len(files))
        work.pause(0)
        target = folder / f"{file.name}{SEALED}"
        age.encrypt_file(file, target, recipient)
        file.unlink()
        sealed.append(target)
    return sealed


def _one(row: Any) -> Any:
    if row is None:
        raise CbctlError("the database did not answer")
    return row
