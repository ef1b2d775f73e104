"""Restores a backup into an empty database and holds it against its manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cbctl.clients.backups.count import counted, counting
from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.contents import differences
from cbctl.clients.postgres.databases import create_database
from cbctl.clients.postgres.tools import (
    ToolFailed,
    Tools,
    Work,
    connection_words,
    major_of,
    run_tool,
)


def create_for(admin: Address, name: str, manifest: Manifest, *, owner: str = "") -> None:
    """An empty database as the backup's was."""
    create_database(
        admin,
        name,
        encoding=manifest.encoding,
        collate=manifest.collate,
        ctype=manifest.ctype,
        owner=owner,
    )


def restore(archive: Path, address: Address, tools: Tools, work: Work, *, grants: bool) -> None:
    """Raises ToolFailed at the first error.

    grants  with what roles may do, which must be there; else everything belongs to this role alone
    """
    words = [tools.restore, "-Fd", "-j", str(work.jobs), "--exit-on-error", "--no-owner"]
    words += [] if grants else ["--no-privileges"]
    words += ["--no-password", f"--dbname={connection_words(address)}", str(archive)]
    work.progress("restoring")
    run_tool(words, address, work)


def prove(
    archive: Path,
    manifest: Manifest,
    admin: Address,
    name: str,
    tools: Tools,
    work: Work,
) -> list[str]:
    """Restores into a new database `name`; what is not as the manifest says, one line each."""
    create_for(admin, name, manifest)
    address = replace(admin, database=name)
    try:
        restore(archive, address, tools, work, grants=False)
    except ToolFailed as error:
        return [f"it cannot be restored: {reason(error)}"]
    work.progress("comparing rows and schema")
    return compare(address, manifest, work)


def compare(address: Address, manifest: Manifest, work: Work) -> list[str]:
    with counting(address, checksums=manifest.has_checksums, sessions=work.jobs) as begun:
        found = counted(begun, work.pause)
    with connect(address) as connection:
        here = connection.info.server_version // 10_000
    same_major = here == major_of(manifest.server)
    return differences(manifest.contents, found, same_major=same_major)


def reason(error: ToolFailed) -> str:
    """pg_restore names the entry of the archive before what the server said."""
    lines = [line.strip() for line in error.said.splitlines() if line.strip()]
    chosen = [line for line in lines if "error:" in line or line.startswith("pg_restore: from TOC")]
    return " / ".join((chosen or lines)[-2:]) or error.what
