"""Whether a backup is what its manifest says: restored into a scratch database, and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.gather import gather
from cbctl.clients.backups.manifest import Manifest, Proof
from cbctl.clients.backups.place import Place
from cbctl.clients.backups.prove import extensions_of, prove
from cbctl.clients.postgres.address import Address, parse
from cbctl.clients.postgres.confined import Locale, scratch_database
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.tools import Tools, Work, major_of, restoring
from cbctl.errors import CbctlError, Exit
from cbctl.local.binaries import Binary, postgres_binaries
from cbctl.local.scratch import Scratch, throwaway_server
from cbctl.steps.db._backups import all_tools


@dataclass(frozen=True)
class Verdict:
    """problems  what is not as the manifest says, one line each; () when it was proved
    server    version of the one that it was restored into; "" when it came not so far
    """

    manifest: Manifest
    problems: tuple[str, ...]
    server: str


def server_for(manifest: Manifest) -> Binary:
    """A Postgres of this machine of the backup's major version, else the oldest newer one."""
    wanted = max(major_of(manifest.server), 1)
    able = [
        one for one in postgres_binaries() if one.major >= wanted and _tools(one.major, manifest)
    ]
    if not able:
        here = ", ".join(str(one.major) for one in postgres_binaries()) or "none"
        raise CbctlError(
            f"the backup is of Postgres {manifest.server}, by pg_dump {manifest.tools}; to restore "
            f"it this machine has: {here}",
            exit=Exit.REFUSED,
            where=manifest.id,
            fix=f"install Postgres {max(wanted, manifest.tools)}, or name a server: --on env:NAME",
        )
    return min(able, key=lambda one: one.major)


def _tools(server: int, manifest: Manifest) -> Tools | None:
    return restoring(all_tools(), server, manifest.tools)


def on_own_server(
    place: Place, manifest: Manifest, made: Scratch, work: Work, secret: str
) -> Verdict:
    """secret: identity of age, for an encrypted one"""
    server = server_for(manifest)
    tools = _tools(server.major, manifest)
    assert tools is not None
    found = gather(place, manifest, tools, work, secret)
    if found.archive is None or found.problems:  # no server is needed to know that
        return Verdict(manifest, found.problems, "")
    with throwaway_server(made, server) as url:
        return _proved(found.archive, manifest, parse(url), tools, work)


def on_server(place: Place, manifest: Manifest, admin: Address, work: Work, secret: str) -> Verdict:
    version = server_version(admin)
    tools = _tools(major_of(version), manifest)
    if tools is None or major_of(version) < major_of(manifest.server):
        raise CbctlError(
            f"the backup is of Postgres {manifest.server}, by pg_dump {manifest.tools}; it cannot "
            f"be restored into Postgres {version} with the programs here",
            exit=Exit.REFUSED,
            where=manifest.id,
            fix="choose a server as new as the backup's",
        )
    found = gather(place, manifest, tools, work, secret)
    if found.archive is None or found.problems:
        return Verdict(manifest, found.problems, "")
    return _proved(found.archive, manifest, admin, tools, work)


def write_proof(place: Place, verdict: Verdict, at: str, who: str, host: str) -> None:
    """Beside the backup, for whoever reaches the place: that it was proved, or that it is not what
    it should be, whatever was found before. at: RFC 3339, UTC"""
    manifest = verdict.manifest
    proof = Proof(
        at=at,
        who=who,
        host=host,
        server=verdict.server,
        manifest=manifest.digest,
        problems=verdict.problems,
    )
    place.write(manifest.id, manifests.PROOF, msgspec.json.encode(proof) + b"\n")


def _proved(archive: Path, manifest: Manifest, admin: Address, tools: Tools, work: Work) -> Verdict:
    name = f"cbctl_verify_{manifest.id.lower().replace('-', '_')}"
    locale = Locale(manifest.encoding, manifest.collate, manifest.ctype)
    needed = extensions_of(archive, tools, work)
    with scratch_database(admin, name, locale, needed) as place:
        problems = prove(archive, manifest, place, tools, work)
    return Verdict(manifest, tuple(problems), server_version(admin))


def server_version(address: Address) -> str:
    with connect(address) as connection:
        return str(connection.info.parameter_status("server_version")).split()[0]
