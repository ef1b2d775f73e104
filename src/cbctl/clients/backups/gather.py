"""Brings the files of a backup together and says which are not what the manifest says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cbctl.clients import age
from cbctl.clients.backups.files import hashed
from cbctl.clients.backups.manifest import DUMP, SEALED, File, Manifest
from cbctl.clients.backups.place import Place
from cbctl.clients.postgres.tools import ToolFailed, Tools, Work, listing, major_of
from cbctl.errors import CbctlError, Exit

_TOC: Final = "toc.dat"
_DATA: Final = re.compile(r"^(\d+); \d+ \d+ TABLE DATA (\S+) (\S+) ", re.MULTILINE)
_DUMPED_FROM: Final = re.compile(r"^;\s+Dumped from database version: (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Gathered:
    """archive  the folder that pg_restore reads; None where it cannot be read at all
    problems  what is damaged, one line each
    """

    archive: Path | None
    problems: tuple[str, ...] = ()


def gather(
    place: Place, manifest: Manifest, tools: Tools, work: Work, identity: str = ""
) -> Gathered:
    """Copies the files that the manifest lists into work.folder, and decrypts them there: what is
    compared is what is restored, and pg_restore, which prefers `3374.dat` to `3374.dat.gz`, sees
    nothing that is not listed.

    identity  the secret that opens an encrypted backup
    Raises CbctlError: 3 when the identity is missing or another one.
    """
    if manifest.recipient and not identity:
        raise CbctlError(
            "this backup is encrypted",
            exit=Exit.CREDENTIALS,
            where=manifest.id,
            fix=f"--identity FILE of the key that belongs to {manifest.recipient}",
        )
    found: dict[str, Path] = {}
    damaged: dict[str, str] = {}
    brought = work.folder / "brought"
    for number, file in enumerate(manifest.files, 1):
        work.progress("reading the backup", number, len(manifest.files))
        work.pause(0)
        path = place.fetch(manifest.id, file, brought, work.pause)
        if path is None:
            damaged[file.path] = "is missing, or no file that can be read"
        else:
            found[file.path] = path
    below = list(found.values())
    wanted = {file.path: file for file in manifest.files}
    for name, told in zip(found, hashed(below, _top(below), work.jobs, work.pause), strict=True):
        if damage := _damage(wanted[name], told):
            damaged[name] = damage
    whole = {name: path for name, path in found.items() if name not in damaged}
    archive = _opened(whole, manifest, work, identity)
    titles, problem = _titles(archive, tools, manifest)
    problems = [_said(name, damage, titles) for name, damage in sorted(damaged.items())]
    return Gathered(archive, tuple(problems + ([problem] if problem else [])))


def table_of_contents(
    place: Place, manifest: Manifest, work: Work, identity: str = ""
) -> Path | None:
    """The archive's folder with nothing else in it that is needed; None where it is not whole.

    Raises like `gather`."""
    name = f"{DUMP}/{_TOC}{SEALED if manifest.recipient else ''}"
    for file in manifest.files:
        if file.path == name:
            path = place.fetch(manifest.id, file, work.folder / "brought", work.pause)
            return _opened({name: path}, manifest, work, identity) if path else None
    return None


def _top(paths: list[Path]) -> Path:
    return paths[0].parent if paths else Path()


def _damage(wanted: File, told: File) -> str:
    if told.size != wanted.size:
        return f"has {told.size} bytes instead of {wanted.size}"
    return "" if told.sha256 == wanted.sha256 else "has another content (sha256)"


def _opened(
    whole: Mapping[str, Path], manifest: Manifest, work: Work, identity: str
) -> Path | None:
    """The archive's folder, decrypted if need be; None without its table of contents."""
    name = f"{DUMP}/{_TOC}{SEALED if manifest.recipient else ''}"
    if name not in whole:
        return None
    if not manifest.recipient:
        return whole[name].parent
    folder = work.folder / DUMP
    folder.mkdir(mode=0o700)
    for path in whole.values():
        work.pause(0)
        age.decrypt_file(path, folder / path.name.removesuffix(SEALED), identity)
    return folder


def _titles(archive: Path | None, tools: Tools, manifest: Manifest) -> tuple[dict[str, str], str]:
    """Which file holds which table, and what is wrong with the table of contents."""
    if archive is None:
        return {}, ""
    try:
        text = listing(tools, archive)
    except ToolFailed as error:
        return {}, f"table of contents ({DUMP}/{_TOC}): {error.what}"
    titles = {found[0]: f"{found[1]}.{found[2]}" for found in _DATA.findall(text)}
    dumped = _DUMPED_FROM.search(text)
    server = dumped[1] if dumped else "nowhere"
    if major_of(server) != major_of(manifest.server):
        return titles, (
            f"server: the dump is of Postgres {server}, the manifest says {manifest.server}"
        )
    return titles, ""


def _said(name: str, damage: str, titles: Mapping[str, str]) -> str:
    file = Path(name).name
    if file.startswith(_TOC):
        return f"table of contents ({name}) {damage}"
    number = file.partition(".")[0]
    what = f"table data of {titles[number]}" if number in titles else "data"
    return f"{what} ({name}) {damage}"
