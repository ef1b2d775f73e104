"""Restores a backup into an empty database and holds it against its manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cbctl.clients.backups.count import counted, counting
from cbctl.clients.backups.manifest import Manifest
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.confined import BEYOND, Extension
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.contents import differences
from cbctl.clients.postgres.databases import create_database
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.tools import (
    ToolFailed,
    Tools,
    Work,
    connection_words,
    listing,
    major_of,
    run_tool,
    script_of,
)

_EXTENSION: Final = re.compile(r"\d+; 3079 \d+ EXTENSION ")
_MAKES: Final = re.compile(
    r'^CREATE EXTENSION IF NOT EXISTS ("(?:[^"]|"")+"|\w+) WITH SCHEMA ("(?:[^"]|"")+"|\w+);$',
    re.MULTILINE,
)
_DENIED: Final = re.compile("permission denied|must be (?:superuser|owner|able)")


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
    """grants: with what roles may do, which must be there. Raises ToolFailed at the first error."""
    _restore(archive, address, tools, work, [] if grants else ["--no-privileges"])


def prove(
    archive: Path,
    manifest: Manifest,
    address: Address,
    tools: Tools,
    work: Work,
) -> list[str]:
    """Restores into an empty database, as a role that owns it and no more; what is not as the
    manifest says, one line each."""
    words = ["--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions"]
    try:
        words += _but_for(archive, address, tools, work)
        _restore(archive, address, tools, work, words)
    except ToolFailed as error:
        beyond = f"; {BEYOND}" if _DENIED.search(error.said) else ""
        return [f"it cannot be restored: {reason(error)}{beyond}"]
    work.progress("comparing rows and schema")
    return compare(address, manifest, work)


def _restore(
    archive: Path, address: Address, tools: Tools, work: Work, words: Sequence[str]
) -> None:
    always = [tools.restore, "-Fd", "-j", str(work.jobs), "--exit-on-error", "--no-owner", *words]
    always += ["--no-password", f"--dbname={connection_words(address)}", str(archive)]
    work.progress("restoring")
    run_tool(always, address, work)


def extensions_of(archive: Path, tools: Tools, work: Work) -> tuple[Extension, ...]:
    """Raises ToolFailed."""
    contents = listing(tools, archive).splitlines()
    entries = [line for line in contents if _EXTENSION.match(line)]
    made = _MAKES.findall(script_of(tools, archive, entries, work)) if entries else []
    return tuple(Extension(_plain(name), _plain(schema)) for name, schema in made)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _but_for(archive: Path, address: Address, tools: Tools, work: Work) -> list[str]:
    """Leaves out the schemas that came with an extension."""
    with connect(address) as connection:
        rows = connection.execute(query("schemas_of_extensions")).fetchall()
    heads = tuple(f"SCHEMA - {schema} " for (schema,) in rows)
    if not heads:
        return []
    kept = work.folder / "kept"
    lines = listing(tools, archive).splitlines(keepends=True)
    kept.write_text("".join(line for line in lines if not any(head in line for head in heads)))
    return [f"--use-list={kept}"]


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
